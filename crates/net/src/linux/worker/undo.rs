//! The way back: of one attachment, half-made ones included, and of everything.

use super::{Worker, udp_ports};
use crate::linux::conntrack::Stale;
use crate::linux::context::Context;
use crate::linux::netlink::Socket;
use crate::linux::record::Record;
use crate::linux::{link, netns, route, sysctl};
use crate::{Result, address_of};

impl Worker {
    /// Every step may have been done before. The record goes last: until then a restart would try again.
    pub(super) fn undo(&mut self, record: &Record) -> Result<()> {
        let attachment = &record.attachment;
        if !attachment.bindings.is_empty() {
            self.ruleset
                .withdraw(&mut self.netfilter, &attachment.bindings)
                .context(|| format!("withdrawing the ports of {}", attachment.id))?;
        }
        let address = address_of(attachment);
        if let Some(address) = address {
            if !udp_ports(&attachment.bindings).is_empty() {
                self.forgetter.forget(Stale::AnsweredBy(address), || {});
            }
            route::delete_container(&mut self.routes, address).context(|| format!("deleting the route to {address}"))?;
        }
        netns::forget(&attachment.netns).context(|| attachment.netns.display().to_string())?;
        self.records.remove(&attachment.id)?;
        self.free_ports(&attachment.bindings);
        if let Some(address) = address {
            self.addresses.free(address);
        }
        Ok(())
    }

    pub(super) fn tear_down(mut self) -> Result<()> {
        for record in std::mem::take(&mut self.attachments).into_values() {
            self.undo(&record)?;
        }
        drop(self.pool);
        self.ready.clear();
        self.ruleset.remove(&mut self.netfilter).context(|| "removing the nf_tables table")?;
        self.ruleset.admission().withdraw(&mut self.netfilter).context(|| "removing our rules from the host's iptables")?;
        delete_links(&mut self.routes, &self.ruleset.link_prefix, |_| true)?;
        if !self.ruleset.address.is_unspecified() {
            route::delete_host(&mut self.routes, self.ruleset.address).context(|| "giving up the address")?;
        }
        route::disclaim(&mut self.routes, self.host.subnet).context(|| "deleting the subnet's route")?;
        if route::all(&mut self.routes).context(|| "listing routes")?.claims.is_empty() {
            sysctl::write("net.ipv4.ip_forward", &self.host.ip_forward_before).context(|| "restoring ip_forward")?;
        }
        self.records.remove_all()
    }
}

pub(super) fn delete_links(routes: &mut Socket, prefix: &str, unwanted: impl Fn(&str) -> bool) -> Result<()> {
    for found in link::all(routes).context(|| "listing links")? {
        if found.name.starts_with(prefix) && unwanted(&found.name) {
            match link::delete(routes, found.index) {
                // Its namespace was on its way out already.
                Err(fault) if fault.is(libc::ENODEV) => {}
                other => other.context(|| format!("deleting {}", found.name))?,
            }
        }
    }
    Ok(())
}
