//! `Words`: a description's words one after the other, each asked for what it should be.

use super::refuse;
use crate::def::address::Mac;
use driver_api::error::Result;
use std::iter::Peekable;
use std::net::IpAddr;

pub(super) struct Words<'a>(pub(super) Peekable<std::str::SplitAsciiWhitespace<'a>>);

impl<'a> Words<'a> {
    pub(super) fn next(&mut self, wanted: &str) -> Result<&'a str> {
        match self.0.next() {
            Some(word) => Ok(word),
            None => refuse(format!("the packet ends where {wanted} is wanted")),
        }
    }

    /// Takes the word if it stands there.
    pub(super) fn is(&mut self, word: &str) -> bool {
        self.0.next_if(|next| *next == word).is_some()
    }

    pub(super) fn word(&mut self, wanted: &str) -> Result<()> {
        let quoted = format!("'{wanted}'");
        match self.next(&quoted)? {
            word if word == wanted => Ok(()),
            word => refuse(format!("'{word}' stands where '{wanted}' is wanted")),
        }
    }

    pub(super) fn arrow(&mut self) -> Result<()> {
        self.word(">")
    }

    pub(super) fn mac(&mut self, wanted: &str) -> Result<Mac> {
        let word = self.next(wanted)?;
        match Mac::read(word) {
            Some(mac) => Ok(mac),
            None => refuse(format!("'{word}' is not {wanted}")),
        }
    }

    pub(super) fn number(&mut self, wanted: &str, max: u16) -> Result<u16> {
        let word = self.next(wanted)?;
        let number = match word.strip_prefix("0x") {
            Some(hex) => u16::from_str_radix(hex, 16),
            None => word.parse(),
        };
        match number {
            Ok(number) if number <= max => Ok(number),
            _ => refuse(format!("'{word}' is not {wanted}, a number from 0 to {max}")),
        }
    }

    /// An address, with a port if one is wanted.
    pub(super) fn end(&mut self, with_port: bool) -> Result<(IpAddr, u16)> {
        let word = self.next("an address")?;
        let (address, port) = match word.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, rest)) => (address, rest.strip_prefix(':')),
            None if with_port => match word.rsplit_once(':') {
                Some((address, port)) => (address, Some(port)),
                None => (word, None),
            },
            None => (word, None),
        };
        let Ok(address) = address.parse() else {
            return refuse(format!("'{address}' in '{word}' is not an IP address"));
        };
        match (with_port, port) {
            (false, None) => Ok((address, 0)),
            (false, Some(_)) => refuse(format!("'{word}' has a port, this protocol has none")),
            (true, None) => refuse(format!(
                "'{word}' lacks a port: write ADDRESS:PORT, or [ADDRESS]:PORT for IPv6"
            )),
            (true, Some(port)) => match port.parse() {
                Ok(port) => Ok((address, port)),
                Err(_) => refuse(format!("'{port}' in '{word}' is not a port, a number from 0 to 65535")),
            },
        }
    }

    /// A byte's worth of number.
    pub(super) fn byte(&mut self, wanted: &str, max: u8) -> Result<u8> {
        let number = self.number(wanted, max.into())?;
        Ok(u8::try_from(number).unwrap_or(u8::MAX))
    }

    /// The value behind a word, as so many bytes in network order; six are a MAC address.
    pub(super) fn value(&mut self, name: &str, len: usize) -> Result<Vec<u8>> {
        let wanted = format!("the value of '{name}'");
        if len == 6 {
            return Ok(self.mac(&wanted)?.0.to_vec());
        }
        let word = self.next(&wanted)?;
        let number = match word.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => word.parse(),
        };
        let bytes = number.clone().unwrap_or_default().to_be_bytes();
        let (over, value) = bytes.split_at(bytes.len().saturating_sub(len));
        if number.is_err() || over.iter().any(|byte| *byte != 0) {
            return refuse(format!("'{word}' is not {wanted}, a number of {len} bytes"));
        }
        Ok(value.to_vec())
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>> {
        let mut digits = Vec::new();
        for word in self.0.by_ref() {
            for c in word.chars().filter(|c| *c != ':') {
                let Some(digit) = c.to_digit(16) else {
                    return refuse(format!("'{word}' has other characters than hexadecimal digits"));
                };
                digits.push(u8::try_from(digit).unwrap_or_default());
            }
        }
        if digits.len() % 2 == 1 {
            return refuse("the frame ends in half a byte");
        }
        Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
    }
}
