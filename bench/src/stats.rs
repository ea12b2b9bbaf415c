//! What is told about figures that vary: the median and the ends.

/// Median, least and greatest of at least one figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) count: usize,
}

impl Spread {
    /// `None` of nothing.
    pub(crate) fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*figures.first()?, *figures.last()?);
        let middle = figures.len() / 2;
        let median = match figures.len() % 2 {
            0 => f64::midpoint(figures[middle - 1], figures[middle]),
            _ => figures[middle],
        };
        Some(Self { median, min, max, count: figures.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_half_way_between_two() {
        let odd = Spread::of(vec![3.0, 1.0, 10.0]);
        assert_eq!(odd, Some(Spread { median: 3.0, min: 1.0, max: 10.0, count: 3 }));
        let even = Spread::of(vec![4.0, 1.0, 2.0, 9.0]);
        assert_eq!(even, Some(Spread { median: 3.0, min: 1.0, max: 9.0, count: 4 }));
    }

    #[test]
    fn nothing_has_no_median() {
        assert_eq!(Spread::of(vec![]), None);
    }
}
