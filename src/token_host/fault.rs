//! Whom an error of PKCS#11 blames.

use cryptoki::error::{Error, RvError};

use crate::signer::token::protocol::Fault;

/// The fault of an operation that has nothing to do with a key: always the token's.
pub(super) fn of_token(what: &str, error: &Error) -> Fault {
    Fault::custodian(format!("{what}: {}", words(error)))
}

/// The fault of an operation with a key. Devices report nearly every kind of trouble as CKR_GENERAL_ERROR or
/// CKR_FUNCTION_FAILED, so a key is blamed only by errors that name it.
pub(super) fn of_key(what: &str, error: &Error) -> Fault {
    if blames_key(error) { Fault::key(format!("{what}: {}", words(error))) } else { of_token(what, error) }
}

/// The fault of a login.
pub(super) fn of_login(pin_file: &str, error: &Error) -> Fault {
    let advice = match error {
        Error::Pkcs11(RvError::PinLocked, _) => "have the token's security officer unlock it",
        Error::Pkcs11(RvError::PinExpired, _) => "set a new PIN with the maker's tool",
        Error::Pkcs11(RvError::UserPinNotInitialized, _) => "set a user PIN with the maker's tool",
        Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => {
            "write the right one into the file"
        }
        _ => return of_token("the login failed", error),
    };
    Fault::pin(format!("the token refuses the PIN in '{pin_file}' ({}): {advice}", words(error)))
}

/// Whether a failed login says that the PIN was not looked at.
pub(super) fn precedes_login(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::CryptokiNotInitialized
                | RvError::DeviceRemoved
                | RvError::HostMemory
                | RvError::SessionClosed
                | RvError::SessionHandleInvalid
                | RvError::TokenNotPresent
                | RvError::TokenNotRecognized,
            _
        )
    )
}

/// Whether an error says that a handle, which was found before, names nothing now.
pub(super) fn is_stale_handle(error: &Error) -> bool {
    matches!(error, Error::Pkcs11(RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid, _))
}

fn blames_key(error: &Error) -> bool {
    is_stale_handle(error)
        || matches!(
            error,
            Error::Pkcs11(
                RvError::ActionProhibited
                    | RvError::DataInvalid
                    | RvError::DataLenRange
                    | RvError::KeyFunctionNotPermitted
                    | RvError::KeySizeRange
                    | RvError::KeyTypeInconsistent
                    | RvError::MechanismInvalid
                    | RvError::MechanismParamInvalid,
                _
            )
        )
}

/// The error as the standard spells it, such as `CKR_DEVICE_ERROR`.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::Pkcs11(RvError::VendorDefined(code) | RvError::UnknownErrorCode(code), _) => {
            format!("error 0x{code:x} of the maker")
        }
        Error::Pkcs11(error, _) => constant(&format!("{error:?}")),
        error => error.to_string(),
    }
}

/// `DeviceError` as `CKR_DEVICE_ERROR`.
fn constant(name: &str) -> String {
    let spaced = name.chars().flat_map(|c| {
        let separator = c.is_ascii_uppercase().then_some('_');
        separator.into_iter().chain([c.to_ascii_uppercase()])
    });
    "CKR".chars().chain(spaced).collect()
}

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;

    use super::*;
    use crate::signer::token::protocol::Blame;

    fn error(error: RvError) -> Error {
        Error::Pkcs11(error, Function::Sign)
    }

    #[test]
    fn what_may_be_the_device_never_blames_a_key_and_a_wrong_pin_is_told_apart() {
        for rv in [
            RvError::GeneralError,
            RvError::FunctionFailed,
            RvError::DeviceError,
            RvError::DeviceMemory,
            RvError::DeviceRemoved,
            RvError::TokenNotPresent,
            RvError::SessionHandleInvalid,
            RvError::SessionClosed,
            RvError::OperationActive,
            RvError::UserNotLoggedIn,
            RvError::CryptokiNotInitialized,
            RvError::VendorDefined(0x8000_0001),
        ] {
            let error = error(rv);
            assert_eq!(of_key("x", &error).blame, Blame::Custodian, "{error:?}");
            assert_eq!(of_login("x", &error).blame, Blame::Custodian, "{error:?}");
        }
        for rv in [RvError::KeyFunctionNotPermitted, RvError::KeyHandleInvalid, RvError::MechanismInvalid] {
            assert_eq!(of_key("x", &error(rv)).blame, Blame::Key);
        }
        for rv in [RvError::PinIncorrect, RvError::PinLocked, RvError::PinExpired, RvError::PinLenRange] {
            assert_eq!(of_login("x", &error(rv)).blame, Blame::Pin);
        }
    }

    #[test]
    fn an_error_is_called_as_the_standard_does_it() {
        assert_eq!(words(&error(RvError::DeviceError)), "CKR_DEVICE_ERROR");
        assert_eq!(words(&error(RvError::VendorDefined(0x8000_0001))), "error 0x80000001 of the maker");
    }
}
