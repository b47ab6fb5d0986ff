pub(super) fn panics(_seed: u64, _index: usize) -> Option<crate::worker::Panics> {
    None
}
