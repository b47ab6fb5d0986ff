//! The real Collector.
