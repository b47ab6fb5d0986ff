//! Tests of the engines as a whole: rules as text and a state in, a decision out.

mod laws;
mod vectors;
