//! Benches of plimsoll
