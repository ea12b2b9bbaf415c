//! Lanes as people choose them.

/// How much somebody would pay to be served sooner. The free lane costs nothing and never ends.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Lane {
    /// Free: no bid.
    #[default]
    Slow,
    /// Up to 1.25 times the median ask.
    Medium,
    /// Up to 3 times the median ask, and as much a second as the budget has.
    Fast,
    /// Up to 3 times the median ask for 1.3 times the rate of a stream, in bytes a second.
    Live {
        /// The stream's own rate.
        rate: u64,
    },
}
