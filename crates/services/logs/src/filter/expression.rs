//! `a && (b || c)` over anything.

use super::Invalid;
use super::reader::Reader;

/// Patterns have a thousand characters at most; nobody nests this deep.
const DEEPEST: usize = 100;

pub enum Expression<Leaf> {
    All(Vec<Expression<Leaf>>),
    Any(Vec<Expression<Leaf>>),
    Leaf(Leaf),
}

type ReadLeaf<'f, Leaf> = &'f dyn Fn(&mut Reader<'_>) -> Result<Leaf, Invalid>;

impl<Leaf> Expression<Leaf> {
    pub fn read(reader: &mut Reader<'_>, leaf: ReadLeaf<'_, Leaf>) -> Result<Expression<Leaf>, Invalid> {
        any(reader, leaf, 0)
    }

    pub fn holds(&self, leaf: &dyn Fn(&Leaf) -> bool) -> bool {
        match self {
            Expression::All(all) => all.iter().all(|one| one.holds(leaf)),
            Expression::Any(any) => any.iter().any(|one| one.holds(leaf)),
            Expression::Leaf(one) => leaf(one),
        }
    }
}

fn any<Leaf>(reader: &mut Reader<'_>, leaf: ReadLeaf<'_, Leaf>, depth: usize) -> Result<Expression<Leaf>, Invalid> {
    let mut parts = vec![all(reader, leaf, depth)?];
    while reader.eat("||") {
        parts.push(all(reader, leaf, depth)?);
    }
    Ok(Expression::Any(parts))
}

fn all<Leaf>(reader: &mut Reader<'_>, leaf: ReadLeaf<'_, Leaf>, depth: usize) -> Result<Expression<Leaf>, Invalid> {
    let mut parts = vec![one(reader, leaf, depth)?];
    while reader.eat("&&") {
        parts.push(one(reader, leaf, depth)?);
    }
    Ok(Expression::All(parts))
}

fn one<Leaf>(reader: &mut Reader<'_>, leaf: ReadLeaf<'_, Leaf>, depth: usize) -> Result<Expression<Leaf>, Invalid> {
    if !reader.eat("(") {
        return Ok(Expression::Leaf(leaf(reader)?));
    }
    if depth == DEEPEST {
        return Err(Invalid);
    }
    let inner = any(reader, leaf, depth + 1)?;
    reader.expect(")")?;
    Ok(inner)
}
