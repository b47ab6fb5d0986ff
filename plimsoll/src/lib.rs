//! The plimsoll command

pub mod report;
pub mod results;
