//! The open-loop load generator of plimsoll
