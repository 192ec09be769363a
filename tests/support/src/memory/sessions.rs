//! Sessions of the dashboard, in memory.

use std::time::Duration;

use super::{
    MemoryStore,
    access::{Token, can_be_logged},
    state::State,
};
use signwave::{
    domain::{Action, By, SecretHash, SessionParent, TokenId},
    store::{
        AddSessionVerdict, Credential, NewSession, NewToken, SessionOrigin, Sessions, StoreError, TokenRow,
    },
};

impl Sessions for MemoryStore {
    fn add_session(&self, session: &NewSession, by: &By) -> Result<AddSessionVerdict, StoreError> {
        let state = &mut *self.lock();
        can_be_logged(by)?;
        let now = state.now;
        let (name, scopes, parent, left) = match &session.origin {
            SessionOrigin::Terminal(name, scopes) => {
                (name.clone(), *scopes, SessionParent::Terminal, Duration::MAX)
            }
            SessionOrigin::Token(id, secret) => {
                let Some((token, until)) = state.token(*id).and_then(|token| usable(token, secret, now))
                else {
                    return Ok(AddSessionVerdict::NoSuchToken);
                };
                (token.new.name.clone(), token.new.scopes, SessionParent::Token(*id), until - now)
            }
        };
        if state.tokens.iter().any(|there| there.new.id == session.id) {
            return Err(StoreError::Refused("a token with this id is there already".to_owned()));
        }
        let is_old = |token: &Token| {
            token.parent.is_some() && token.expires.is_some_and(|end| end + session.kept_for < now)
        };
        state.tokens.retain(|token| !is_old(token));
        let (id, credential) = (session.id, Credential::Secret(session.secret));
        let new = NewToken { id, name, scopes, credential, expires_in: Some(session.expires_in.min(left)) };
        let session = Token::new(new, now, Some(parent));
        let row = session.row(now);
        state.tokens.push(session);
        state.note(by, Action::AddSession, row.id.as_str(), None, &format!("{}; {}", row.scopes, row.name));
        Ok(AddSessionVerdict::Added(Box::new(row)))
    }

    fn sessions(&self, after: Option<TokenId>, limit: usize) -> Result<Vec<TokenRow>, StoreError> {
        Ok(self.lock().page(after, limit, |token| token.parent.is_some()))
    }

    fn end_session(&self, id: TokenId, by: &By) -> Result<bool, StoreError> {
        let state = &mut *self.lock();
        can_be_logged(by)?;
        let now = state.now;
        let session = state.token(id).filter(|token| token.parent.is_some() && token.revoked.is_none());
        let Some(session) = session else { return Ok(false) };
        session.revoked = Some(now);
        state.note(by, Action::EndSession, id.as_str(), None, "signed out");
        Ok(true)
    }
}

/// The token, and until when it can be used with that secret, if it can be.
fn usable<'a>(token: &'a Token, secret: &SecretHash, now: Duration) -> Option<(&'a Token, Duration)> {
    let end = token.expires.unwrap_or(Duration::MAX);
    let until = match token.previous {
        _ if token.secret.is_some_and(|hash| hash.0 == secret.0) => end,
        Some((previous, until)) if previous.0 == secret.0 => end.min(until),
        _ => return None,
    };
    (token.parent.is_none() && token.revoked.is_none() && until > now).then_some((token, until))
}

impl State {
    /// Ends the sessions of a token whose ends are such.
    pub(super) fn end_sessions(&mut self, parent: TokenId, ends: impl Fn(Duration) -> bool) {
        let now = self.now;
        let its = |token: &&mut Token| token.parent == Some(SessionParent::Token(parent));
        for session in self.tokens.iter_mut().filter(its) {
            if session.revoked.is_none() && session.expires.is_some_and(&ends) {
                session.revoked = Some(now);
            }
        }
    }
}
