//! The local host, driven as a run drives it.

mod control;
mod death;
mod gateway;
mod harness;
mod life;
mod overload;
