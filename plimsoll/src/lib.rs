//! The plimsoll command
