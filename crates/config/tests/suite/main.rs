//! Configurations from text to graph, settings and diagnostics, through the public interface.

#[cfg(test)]
mod catalog;
#[cfg(test)]
mod collector;
#[cfg(test)]
mod decoding;
#[cfg(test)]
mod diagnostics;
#[cfg(test)]
mod expressions;
#[cfg(test)]
mod formatting;
#[cfg(test)]
mod graphs;
#[cfg(test)]
mod integrations;
#[cfg(test)]
mod modules;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod yaml;
