//! Every AWS service in this binary. Adding one is a row.

use kernel::{Service, Services};
use logstore::Events;
use seal::Key;

/// Log events are where `events` are, and values of secrets are sealed with `key`.
pub fn all(events: &Events, key: &Key) -> Services {
    Services::new(services(events, key))
}

fn services(events: &Events, key: &Key) -> Vec<Service> {
    vec![ecs::service(), logs::service(events), secretsmanager::service(key), ssm::service(key)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect_file;
    use std::collections::BTreeSet;

    /// Nothing is kept by these tests.
    fn services() -> Vec<Service> {
        let events = crate::events::open(tempfile::tempdir().unwrap().path()).unwrap();
        super::services(&events, &Key::new(&[0; seal::KEY_BYTES]))
    }

    /// Every operation of every model is built or listed as not built; a table row that the model lacks is neither.
    fn page(services: &[Service]) -> String {
        let mut page = String::from("# Coverage\n\nMade by a test from the operation tables and AWS's models; do not edit.\n");
        for service in services {
            let built: BTreeSet<&str> = service.operations().collect();
            let modelled: BTreeSet<&str> = service.model.operation_names().collect();
            assert!(built.is_subset(&modelled), "built but not in the model: {:?}", &built - &modelled);
            let missing = &modelled - &built;
            page += &format!("\n## {}: {} of {}\n", service.model.service_id, built.len(), modelled.len());
            page += &format!("\nBuilt: {}.\n", joined(&built));
            page += &format!("\nAnswered with an error of the model until built: {}.\n", joined(&missing));
        }
        page
    }

    fn joined(names: &BTreeSet<&str>) -> String {
        names.iter().copied().collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_coverage_page_is_current() {
        expect_file!["../../../docs/coverage.md"].assert_eq(&page(&services()));
    }

    #[test]
    fn what_is_not_built_answers_with_an_error_of_its_model() {
        for service in services() {
            let built: BTreeSet<&str> = service.operations().collect();
            for operation in service.model.operations.iter().filter(|operation| !built.contains(operation.name)) {
                let error = service.prepare(operation.name, b"{}").err().expect("not built");
                assert!(operation.errors.contains(&error.code.as_str()), "{}: {error}", operation.name);
            }
        }
    }
}
