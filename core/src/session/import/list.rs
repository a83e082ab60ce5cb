//! Lists of a document that are read whole, with a bound: a small entry in a file may be a large
//! one in memory. Pure.

use std::{collections::HashMap, fmt, marker::PhantomData};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor},
};

use super::document::MAX_MESSAGES;

/// A list with so many entries at most.
pub(super) struct AtMost<T> {
    most: usize,
    what: &'static str,
    entry: PhantomData<T>,
}

impl<T> AtMost<T> {
    pub(super) fn new(most: usize, what: &'static str) -> Self {
        Self { most, what, entry: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for AtMost<T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Vec<T>, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for AtMost<T> {
    type Value = Vec<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a list of {}", self.what)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            if entries.len() == self.most {
                return Err(A::Error::custom(format!("more than {} {}", self.most, self.what)));
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// Numbers of messages in order, of each the last mention.
pub(super) struct LastMentions;

impl<'de> DeserializeSeed<'de> for LastMentions {
    type Value = Vec<usize>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Vec<usize>, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for LastMentions {
    type Value = Vec<usize>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of numbers of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<usize>, A::Error> {
        let mut places: HashMap<usize, usize> = HashMap::new();
        let mut place = 0_usize;
        while let Some(number) = list.next_element::<usize>()? {
            if number >= MAX_MESSAGES {
                return Err(A::Error::custom(format!("message {number} cannot be there")));
            }
            places.insert(number, place);
            place += 1;
        }
        let mut numbers: Vec<(usize, usize)> =
            places.into_iter().map(|(number, place)| (place, number)).collect();
        numbers.sort_unstable();
        Ok(numbers.into_iter().map(|(_, number)| number).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_mentions(text: &str) -> Result<Vec<usize>, String> {
        let mut json = serde_json::Deserializer::from_str(text);
        LastMentions.deserialize(&mut json).map_err(|error| error.to_string())
    }

    #[test]
    fn of_each_message_the_last_mention_counts() {
        for (text, expected) in [
            ("[]", vec![]),
            ("[3,1,2]", vec![3, 1, 2]),
            ("[3,1,3,1,2,1]", vec![3, 2, 1]),
            ("[0,0,0,0]", vec![0]),
        ] {
            assert_eq!(last_mentions(text), Ok(expected), "{text}");
        }
        assert!(last_mentions("[200000]").is_err());
        assert!(last_mentions("[-1]").is_err());
    }

    #[test]
    fn a_list_that_is_too_long_is_refused() {
        let read = |text: &str| {
            let mut json = serde_json::Deserializer::from_str(text);
            AtMost::<u8>::new(2, "personas").deserialize(&mut json)
        };
        assert_eq!(read("[1,2]").unwrap(), [1, 2]);
        assert!(read("[1,2,3]").unwrap_err().to_string().contains("more than 2 personas"));
    }
}
