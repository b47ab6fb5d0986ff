//! The monitor against real servers.

mod collector;
mod otlp;
