//! Converters of addresses and clients.

mod agents;
mod url;

use std::net::IpAddr;

use super::{Call, Function, Kind, Literals, Prepared, need};
use crate::error::RunError;
use crate::value::Value;

pub(super) const LIST: &[Function] = &[
    Function::converter(
        "IsInCIDR",
        &[need("target", Kind::Text), need("networks", Kind::List)],
        is_in_cidr,
    ),
    Function::converter("URL", &[need("url", Kind::Text)], url::parse),
    Function::converter("UserAgent", &[need("user_agent", Kind::Text)], agents::parse),
];

/// An id has its length.
pub(super) fn check_id(literals: &Literals<'_>, len: usize) -> Result<Prepared, String> {
    match literals.first() {
        Some(Some(Value::Bytes(bytes))) if bytes.len() != len => {
            Err(format!("the id needs {len} bytes"))
        }
        _ => Ok(Prepared::Nothing),
    }
}

fn is_in_cidr(call: &Call<'_>) -> Result<Value, RunError> {
    let Ok(address) = address(call.text(0)) else { return Ok(Value::Bool(false)) };
    for network in call.texts(1) {
        let (base, bits) = network
            .split_once('/')
            .and_then(|(base, bits)| Some((base, bits.parse().ok()?)))
            .ok_or_else(|| RunError::invalid(format!("{network:?} is no network")))?;
        if contains(self::address(base)?, bits, address) {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn address(text: &str) -> Result<IpAddr, RunError> {
    text.parse().map_err(|_| RunError::invalid(format!("{text:?} is no address")))
}

fn contains(base: IpAddr, bits: u32, address: IpAddr) -> bool {
    match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            let differing = base.to_bits() ^ address.to_bits();
            differing.leading_zeros() >= bits
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => {
            let differing = base.to_bits() ^ address.to_bits();
            differing.leading_zeros() >= bits
        }
        _ => false,
    }
}
