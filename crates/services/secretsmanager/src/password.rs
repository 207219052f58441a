//! GetRandomPassword.

use api_secretsmanager as api;
use api_secretsmanager::Error;
use base::Rng;
use kernel::Call;
use store::Image;

const USUAL_LENGTH: i64 = 32;
const LOWERCASE: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPERCASE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const NUMBERS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

pub fn get_random_password(
    call: &mut Call,
    _image: &Image,
    input: api::GetRandomPasswordRequest,
) -> Result<api::GetRandomPasswordResponse, Error> {
    let sets = sets(&input);
    let length = usize::try_from(input.password_length.unwrap_or(USUAL_LENGTH)).unwrap_or_default();
    let required = input.require_each_included_type != Some(false);
    if sets.is_empty() {
        return Err(Error::invalid_parameter("The password can't be generated: every type of character is excluded."));
    }
    if required && length < sets.len() {
        return Err(Error::invalid_parameter("The password length is too short based on the required types."));
    }
    let password = password(&mut call.rng, &sets, length, required);
    Ok(api::GetRandomPasswordResponse { random_password: Some(password) })
}

fn sets(input: &api::GetRandomPasswordRequest) -> Vec<Vec<char>> {
    let excluded = input.exclude_characters.as_deref().unwrap_or_default();
    let choices = [
        (LOWERCASE, input.exclude_lowercase != Some(true)),
        (UPPERCASE, input.exclude_uppercase != Some(true)),
        (NUMBERS, input.exclude_numbers != Some(true)),
        (PUNCTUATION, input.exclude_punctuation != Some(true)),
        (" ", input.include_space == Some(true)),
    ];
    let left = |text: &str| text.chars().filter(|c| !excluded.contains(*c)).collect::<Vec<char>>();
    choices.iter().filter(|(_, included)| *included).map(|(text, _)| left(text)).filter(|set| !set.is_empty()).collect()
}

/// One of each set where that is required, the rest of all, in an order that tells nothing.
fn password(rng: &mut Rng, sets: &[Vec<char>], length: usize, required: bool) -> String {
    let all: Vec<char> = sets.concat();
    let firsts = sets.iter().filter(|_| required).chain(std::iter::repeat(&all));
    let mut characters: Vec<char> = firsts.take(length).filter_map(|set| rng.pick(set).copied()).collect();
    for last in (1..characters.len()).rev() {
        characters.swap(last, rng.below(last as u64 + 1) as usize);
    }
    characters.into_iter().collect()
}
