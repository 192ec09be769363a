//! Nodes, in memory, by a clock that only tests move.

use std::time::Duration;

use super::{Node, Reclaimed, RenewVerdict, State};
use crate::domain::NodeId;

impl State {
    pub(super) fn register_node(&mut self, name: &str, ttl: Duration) -> NodeId {
        self.last_node += 1;
        let id = NodeId(self.last_node);
        let lease_until = self.now.saturating_add(ttl);
        let node = Node { name: name.to_owned(), started: self.now, lease_until, ttl, is_dead: false };
        self.nodes.insert(id, node);
        id
    }

    pub(super) fn renew_node(&mut self, node: NodeId, ttl: Duration) -> RenewVerdict {
        let lease_until = self.now.saturating_add(ttl);
        match self.nodes.get_mut(&node) {
            Some(node) => {
                (node.lease_until, node.ttl) = (lease_until, ttl);
                RenewVerdict::Renewed
            }
            None => RenewVerdict::Gone,
        }
    }

    pub(super) fn remove_node(&mut self, node: NodeId) -> u64 {
        self.nodes.remove(&node);
        self.release_all_of(node)
    }

    pub(super) fn reclaim(&mut self, me: Option<NodeId>, grace: Duration) -> Vec<Reclaimed> {
        for (_, node) in self.nodes.iter_mut().filter(|(id, _)| Some(**id) != me) {
            node.lease_until = node.lease_until.min(self.now.saturating_add(node.ttl));
        }
        let is_dead = |node: &Node| node.is_dead || node.lease_until.saturating_add(grace) < self.now;
        let dead: Vec<_> = self
            .nodes
            .iter()
            .filter(|(id, node)| Some(**id) != me && is_dead(node))
            .map(|(id, node)| (*id, node.name.clone()))
            .collect();
        dead.into_iter()
            .map(|(node, name)| Reclaimed { node, name, batches: self.remove_node(node) })
            .collect()
    }
}
