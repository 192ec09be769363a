//! Texts that have a few possible values, and bytes, as the OpenAPI document shows them. The values are the domain's.
#![expect(dead_code, reason = "these types are read by the derive macros only")]

use utoipa::ToSchema;

/// A body that is neither text nor JSON.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Bytes(Vec<u8>);

/// A bundle. It has exactly one text: packaging/bundle describes it.
#[derive(ToSchema)]
#[schema(value_type = Object)]
pub struct Bundle(());

/// The state of a key.
#[derive(ToSchema)]
#[schema(as = KeyState, rename_all = "lowercase")]
pub enum KeyStateName {
    Active,
    Disabled,
    Retired,
    Suspended,
}

/// Why an active key may not sign now.
#[derive(ToSchema)]
#[schema(as = KeyBarred, rename_all = "kebab-case")]
pub enum BarredName {
    NotYetValid,
    Expired,
    Exhausted,
}

/// The state of a batch.
#[derive(ToSchema)]
#[schema(as = BatchState, rename_all = "lowercase")]
pub enum BatchStateName {
    Open,
    Leased,
    Signed,
    Lost,
}

/// The state of a token.
#[derive(ToSchema)]
#[schema(as = TokenState, rename_all = "lowercase")]
pub enum TokenStateName {
    Active,
    Expired,
    Revoked,
}

/// The state of a webhook.
#[derive(ToSchema)]
#[schema(as = WebhookState, rename_all = "lowercase")]
pub enum WebhookStateName {
    Enabled,
    Disabled,
}

/// What a token may do.
#[derive(ToSchema)]
#[schema(as = Scope, rename_all = "lowercase")]
pub enum ScopeName {
    Submit,
    Read,
    Operate,
    Admin,
}

/// How a record is signed, by the names of RFC 7518.
#[derive(ToSchema)]
#[schema(as = Scheme, rename_all = "UPPERCASE")]
pub enum SchemeName {
    Ps256,
    Ps384,
    Ps512,
    Rs256,
    Rs384,
    Rs512,
}

/// A range of the history.
#[derive(ToSchema)]
#[schema(as = RunHistoryRange)]
pub enum HistoryRangeName {
    #[schema(rename = "10m")]
    TenMinutes,
    #[schema(rename = "1h")]
    Hour,
    #[schema(rename = "24h")]
    Day,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Barred, BatchState, KeyState, Scheme, Scope, TokenState},
        http::history::recorder::Range,
    };

    fn values<T: utoipa::PartialSchema>() -> Vec<String> {
        let schema = serde_json::to_value(T::schema()).unwrap();
        schema["enum"].as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_document_has_the_names_of_the_domain() {
        assert_eq!(values::<KeyStateName>(), KeyState::ALL.map(KeyState::name));
        assert_eq!(values::<BarredName>(), Barred::ALL.map(Barred::name));
        assert_eq!(values::<BatchStateName>(), BatchState::ALL.map(BatchState::name));
        assert_eq!(values::<SchemeName>(), Scheme::ALL.map(Scheme::name));
        assert_eq!(values::<ScopeName>(), Scope::ALL.map(Scope::name));
        let states = [TokenState::Active, TokenState::Expired, TokenState::Revoked];
        assert_eq!(values::<TokenStateName>(), states.map(TokenState::name));
        assert_eq!(values::<HistoryRangeName>(), Range::ALL.map(Range::name));
    }
}
