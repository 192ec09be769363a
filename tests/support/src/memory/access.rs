//! Tokens and the audit log, in memory.

use std::time::Duration;

use super::{MemoryStore, state::State};
use signwave::{
    domain::{Action, AuditId, By, Fingerprint, SecretHash, SessionParent, TokenId, Who},
    store::{
        Access, AddTokenVerdict, AuditRow, Credential, NewToken, RevokeTokenVerdict, RotateTokenVerdict,
        Rotation, StoreError, StoredToken, TokenRow,
    },
};

/// A token, by the time since the store was made.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) new: NewToken,
    pub(super) secret: Option<SecretHash>,
    pub(super) previous: Option<(SecretHash, Duration)>,
    created: Duration,
    pub(super) expires: Option<Duration>,
    pub(super) revoked: Option<Duration>,
    last_used: Option<Duration>,
    pub(super) parent: Option<SessionParent>,
}

impl Token {
    /// One that is added now.
    pub(super) fn new(new: NewToken, now: Duration, parent: Option<SessionParent>) -> Self {
        let secret = match new.credential {
            Credential::Secret(hash) => Some(hash),
            Credential::Certificate(_) => None,
        };
        let expires = new.expires_in.map(|time| now.saturating_add(time));
        Self { new, secret, previous: None, created: now, expires, revoked: None, last_used: None, parent }
    }

    pub(super) fn row(&self, now: Duration) -> TokenRow {
        let certificate = match self.new.credential {
            Credential::Secret(_) => None,
            Credential::Certificate(key) => Some(key),
        };
        TokenRow {
            id: self.new.id,
            name: self.new.name.as_str().to_owned(),
            scopes: self.new.scopes,
            certificate,
            created_at: State::time_text(self.created),
            expires_at: self.expires.map(State::time_text),
            remaining: self.expires.map(|end| end.saturating_sub(now)),
            previous_until: self.previous.map(|(_, until)| State::time_text(until)),
            revoked_at: self.revoked.map(State::time_text),
            last_used_at: self.last_used.map(State::time_text),
            parent: self.parent,
        }
    }
}

impl Access for MemoryStore {
    fn add_token(&self, token: &NewToken, by: &By) -> Result<AddTokenVerdict, StoreError> {
        let state = &mut *self.lock();
        can_be_logged(by)?;
        if state.tokens.iter().any(|there| there.new.id == token.id) {
            return Err(StoreError::Refused("a token with this id is there already".to_owned()));
        }
        if let Credential::Certificate(key) = token.credential
            && let Some(taken) = state.of_certificate(key)
        {
            return Ok(AddTokenVerdict::CertificateTaken(taken.new.id));
        }
        let now = state.now;
        let token = Token::new(token.clone(), now, None);
        let row = token.row(now);
        state.tokens.push(token);
        state.note(by, Action::AddToken, row.id.as_str(), None, &format!("{}; {}", row.scopes, row.name));
        Ok(AddTokenVerdict::Added(Box::new(row)))
    }

    fn tokens(&self, after: Option<TokenId>, limit: usize) -> Result<Vec<TokenRow>, StoreError> {
        Ok(self.lock().page(after, limit, |token| token.parent.is_none()))
    }

    fn token(&self, id: TokenId) -> Result<Option<StoredToken>, StoreError> {
        let state = self.lock();
        let found = state.tokens.iter().find(|token| token.new.id == id);
        Ok(found.map(|token| StoredToken {
            row: token.row(state.now),
            secret: token.secret,
            previous: token.previous.map(|(hash, until)| (hash, until.saturating_sub(state.now))),
        }))
    }

    fn token_of_certificate(&self, key: Fingerprint) -> Result<Option<TokenRow>, StoreError> {
        let state = self.lock();
        Ok(state.of_certificate(key).map(|token| token.row(state.now)))
    }

    fn rotate_token(
        &self,
        id: TokenId,
        rotation: &Rotation,
        by: &By,
    ) -> Result<RotateTokenVerdict, StoreError> {
        let state = &mut *self.lock();
        can_be_logged(by)?;
        let now = state.now;
        let Some(token) = state.token(id) else { return Ok(RotateTokenVerdict::NoSuchToken) };
        if token.revoked.is_some() {
            return Ok(RotateTokenVerdict::IsRevoked);
        }
        let Some(secret) = token.secret else { return Ok(RotateTokenVerdict::HasCertificate) };
        if token.parent.is_some() {
            return Ok(RotateTokenVerdict::IsSession);
        }
        let ends_all = token.previous.is_some_and(|(_, until)| until > now);
        let until = |overlap| token.expires.unwrap_or(Duration::MAX).min(now.saturating_add(overlap));
        token.previous = rotation.overlap.map(|overlap| (secret, until(overlap)));
        token.secret = Some(rotation.secret);
        token.expires = rotation.expires_in.map(|time| now.saturating_add(time));
        let outlives = token.previous.map_or(Duration::ZERO, |(_, until)| until);
        let outlives = outlives.min(token.expires.unwrap_or(Duration::MAX));
        let row = token.row(now);
        state.end_sessions(id, |end| ends_all || end > outlives);
        state.note(by, Action::RotateToken, id.as_str(), Some("another secret"), "a new secret");
        Ok(RotateTokenVerdict::Rotated(Box::new(row)))
    }

    fn revoke_token(&self, id: TokenId, by: &By) -> Result<RevokeTokenVerdict, StoreError> {
        let state = &mut *self.lock();
        can_be_logged(by)?;
        let now = state.now;
        let Some(token) = state.token(id) else { return Ok(RevokeTokenVerdict::NoSuchToken) };
        if token.revoked.is_some() {
            return Ok(RevokeTokenVerdict::WasRevoked);
        }
        token.revoked = Some(now);
        state.end_sessions(id, |_| true);
        state.note(by, Action::RevokeToken, id.as_str(), None, "revoked");
        Ok(RevokeTokenVerdict::Revoked)
    }

    fn note_use(&self, id: TokenId, every: Duration) -> Result<bool, StoreError> {
        let state = &mut *self.lock();
        let now = state.now;
        let Some(token) = state.token(id).filter(|token| token.revoked.is_none()) else { return Ok(false) };
        let is_due = token.last_used.is_none_or(|last| last.saturating_add(every) < now);
        if is_due {
            token.last_used = Some(now);
        }
        Ok(is_due)
    }

    fn audit_log(&self, after: AuditId, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        Ok(self.lock().audit_log.iter().filter(|row| row.id > after).take(limit).cloned().collect())
    }
}

/// Checks what the constraints of a database enforce, before anything is changed.
pub(super) fn can_be_logged(by: &By) -> Result<(), StoreError> {
    match by.who.to_string().parse::<Who>() {
        Ok(_) => Ok(()),
        Err(error) => Err(StoreError::Refused(error.to_string())),
    }
}

impl State {
    /// Up to `limit` rows of `kind` behind the token `after`.
    pub(super) fn page(
        &self,
        after: Option<TokenId>,
        limit: usize,
        kind: impl Fn(&&Token) -> bool,
    ) -> Vec<TokenRow> {
        let first = match after.map(|id| self.tokens.iter().position(|token| token.new.id == id)) {
            None => 0,
            Some(Some(place)) => place + 1,
            Some(None) => return Vec::new(),
        };
        self.tokens[first..].iter().filter(kind).take(limit).map(|token| token.row(self.now)).collect()
    }

    pub(super) fn token(&mut self, id: TokenId) -> Option<&mut Token> {
        self.tokens.iter_mut().find(|token| token.new.id == id)
    }

    fn of_certificate(&self, key: Fingerprint) -> Option<&Token> {
        let is_its = |token: &&Token| {
            token.revoked.is_none()
                && matches!(token.new.credential, Credential::Certificate(its) if its == key)
        };
        self.tokens.iter().find(is_its)
    }

    /// Writes a row of the audit log.
    pub(super) fn note(&mut self, by: &By, action: Action, object: &str, before: Option<&str>, after: &str) {
        self.audit_log.push(AuditRow {
            id: AuditId(self.audit_log.len() as i64 + 1),
            at: Self::time_text(self.now),
            who: by.who.clone(),
            address: by.address.clone(),
            action: action.name().to_owned(),
            object: object.to_owned(),
            before: before.map(str::to_owned),
            after: Some(after.to_owned()),
            request_id: by.request.clone(),
        });
    }
}
