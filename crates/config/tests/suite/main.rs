//! Configurations from text to graph, settings and diagnostics, through the public interface.

mod catalog;
mod decoding;
mod diagnostics;
mod formatting;
mod graphs;
mod modules;
mod properties;
