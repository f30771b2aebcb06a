/// A sorted set: members by score, and by their bytes if scores are equal. The scripts use integer scores only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SortedSet(Vec<(i64, Vec<u8>)>);

impl SortedSet {
    /// Adds a member, or changes its score; true if it is new.
    pub fn add(&mut self, member: &[u8], score: i64) -> bool {
        let is_new = !self.remove(member);
        let entry = (score, member.to_vec());
        let (Ok(place) | Err(place)) = self.0.binary_search(&entry);
        self.0.insert(place, entry);
        is_new
    }

    /// Removes a member; false if there is no such member.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self.rank(member) {
            Some(place) => {
                self.0.remove(place);
                true
            }
            None => false,
        }
    }

    /// A member's rank, from 0.
    #[must_use]
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        self.0.iter().position(|(_, each)| each == member)
    }

    /// A member's score.
    #[must_use]
    pub fn score(&self, member: &[u8]) -> Option<i64> {
        self.0.iter().find(|(_, each)| each == member).map(|&(score, _)| score)
    }

    /// Members and scores in order.
    #[must_use]
    pub fn entries(&self) -> &[(i64, Vec<u8>)] {
        &self.0
    }

    /// Removes and returns the first member.
    pub fn pop_first(&mut self) -> Option<(i64, Vec<u8>)> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// The number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no members. The key of an empty set is deleted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
