//! The addresses of anchors on the command line.

use std::ffi::OsStr;

use clap::{Arg, Command, Error, builder::TypedValueParser, error::ErrorKind};

use crate::anchors::AnchorAddress;

/// Parses the address of an anchor. A value that another parser refuses is repeated by clap, and this one may hold a password.
#[derive(Clone, Copy, Debug)]
pub struct AnchorParser;

impl TypedValueParser for AnchorParser {
    type Value = AnchorAddress;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<AnchorAddress, Error> {
        AnchorAddress::parse(value)
            .map_err(|error| Error::raw(ErrorKind::ValueValidation, format!("{error}\n")).with_cmd(command))
    }
}
