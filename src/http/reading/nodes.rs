//! `GET /v1/nodes`: the processes that sign.

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{answer, app::App, problem::Problem},
    store::NodeRow,
};

/// The nodes at work.
#[derive(Serialize, ToSchema)]
#[schema(as = NodeList)]
pub struct NodesBody {
    nodes: Vec<NodeBody>,
}

/// A node at work.
#[derive(Serialize, ToSchema)]
#[schema(as = Node)]
pub struct NodeBody {
    /// Its id, which is new each time that a process registers.
    #[schema(example = "5")]
    id: String,
    /// Its name.
    name: String,
    /// When it registered (RFC 3339).
    started_at: String,
    /// Until when its lease runs.
    lease_until: String,
    /// How many batches it holds.
    batches: u64,
    /// Whose keys it can use: `database`, and custodians by their names.
    custodians: Vec<String>,
}

impl From<&NodeRow> for NodeBody {
    fn from(node: &NodeRow) -> Self {
        Self {
            id: node.id.to_string(),
            name: node.name.clone(),
            started_at: node.started_at.clone(),
            lease_until: node.lease_until.clone(),
            batches: node.batches,
            custodians: node.reach.names().map(str::to_owned).collect(),
        }
    }
}

/// The nodes at work, as they were within the last second.
#[utoipa::path(
    get, path = "/v1/nodes", operation_id = "list_nodes", tag = "status",
    responses((status = 200, description = "The nodes", body = NodesBody))
)]
pub async fn list(app: Data<App>) -> Result<HttpResponse, Problem> {
    let status = app.status().await?;
    Ok(answer::ok(&NodesBody { nodes: status.nodes.iter().map(NodeBody::from).collect() }))
}
