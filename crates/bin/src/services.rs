//! Every AWS service in this binary. Adding one is a row.

use kernel::{Service, Services};

pub fn all() -> Services {
    Services::new(services())
}

fn services() -> Vec<Service> {
    vec![ecs::service()]
}
