//! The dialling half against real sockets: small servers that answer, lie, stall and vanish.

#[cfg(test)]
mod auth;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod http;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod retry;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
