//! Sets of fields, a bit each.

use crate::field::Field;

/// Some of the fields.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FieldSet(u64);

impl FieldSet {
    /// All of them.
    pub const ALL: Self = Self((1 << Field::ALL.len()) - 1);

    /// Those that may change while a torrent lives.
    pub(crate) const VARIABLE: Self =
        Self::ALL.without(&[Field::Id, Field::V1, Field::V2, Field::AddedAt]);

    /// Those that follow from what the engine says of a loaded torrent.
    pub(crate) const FIGURES: Self = Self(0).with(&[
        Field::Stage,
        Field::Queue,
        Field::WantedBytes,
        Field::LeftBytes,
        Field::ProgressMilli,
        Field::DownRate,
        Field::UpRate,
        Field::EtaSeconds,
        Field::DownBytes,
        Field::UpBytes,
        Field::SessionDownBytes,
        Field::SessionUpBytes,
        Field::WastedBytes,
        Field::RatioMilli,
        Field::Peers,
        Field::Seeds,
        Field::SwarmPeers,
        Field::SwarmSeeds,
        Field::AvailabilityMilli,
        Field::CompletedAt,
        Field::LastActivityAt,
        Field::SeenCompleteAt,
    ]);

    const fn with(mut self, fields: &[Field]) -> Self {
        let mut at = 0;
        while at < fields.len() {
            self.0 |= fields[at].bit();
            at += 1;
        }
        self
    }

    const fn without(self, fields: &[Field]) -> Self {
        Self(self.0 & !Self(0).with(fields).0)
    }

    /// Adds one.
    pub const fn insert(&mut self, field: Field) {
        self.0 |= field.bit();
    }

    /// Whether it is one of them.
    pub const fn contains(self, field: Field) -> bool {
        self.0 & field.bit() != 0
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// One after the other, in the order of [`Field::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Field> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let field = Field::ALL.get(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(*field)
        })
    }
}

impl FromIterator<Field> for FieldSet {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        let mut set = Self::default();
        fields.into_iter().for_each(|field| set.insert(field));
        set
    }
}
