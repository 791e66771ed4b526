//! Promises that name their scenario.
