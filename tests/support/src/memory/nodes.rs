//! Nodes, in memory, by a clock that only tests move.

use std::time::Duration;

use super::{
    MemoryStore,
    state::{Node, State},
};
use signwave::{
    domain::{NodeId, Reach},
    store::{Nodes, Reclaimed, RenewVerdict, StoreError},
};

impl Nodes for MemoryStore {
    fn register_node(&self, name: &str, ttl: Duration, reach: &Reach) -> Result<NodeId, StoreError> {
        let state = &mut *self.lock();
        state.last_node += 1;
        let id = NodeId(state.last_node);
        let lease_until = state.now.saturating_add(ttl);
        let (name, started, reach) = (name.to_owned(), state.now, reach.clone());
        let node = Node { name, started, lease_until, ttl, is_dead: false, reach };
        state.nodes.insert(id, node);
        Ok(id)
    }

    fn renew_node(&self, node: NodeId, ttl: Duration, reach: &Reach) -> Result<RenewVerdict, StoreError> {
        let state = &mut *self.lock();
        let Some(node) = state.nodes.get_mut(&node) else { return Ok(RenewVerdict::Gone) };
        (node.lease_until, node.ttl, node.reach) = (state.now.saturating_add(ttl), ttl, reach.clone());
        Ok(RenewVerdict::Renewed)
    }

    fn remove_node(&self, node: NodeId) -> Result<u64, StoreError> {
        Ok(self.lock().remove_node(node))
    }

    fn reclaim(&self, me: Option<NodeId>, grace: Duration) -> Result<Vec<Reclaimed>, StoreError> {
        let state = &mut *self.lock();
        let now = state.now;
        for (_, node) in state.nodes.iter_mut().filter(|(id, _)| Some(**id) != me) {
            node.lease_until = node.lease_until.min(now.saturating_add(node.ttl));
        }
        let is_dead = |node: &Node| node.is_dead || node.lease_until.saturating_add(grace) < now;
        let dead: Vec<_> = state
            .nodes
            .iter()
            .filter(|(id, node)| Some(**id) != me && is_dead(node))
            .map(|(id, node)| (*id, node.name.clone()))
            .collect();
        let reclaimed = dead
            .into_iter()
            .map(|(node, name)| Reclaimed { node, name, batches: state.remove_node(node) })
            .collect();
        Ok(reclaimed)
    }
}

impl State {
    fn remove_node(&mut self, node: NodeId) -> u64 {
        self.nodes.remove(&node);
        self.release_all_of(node)
    }
}
