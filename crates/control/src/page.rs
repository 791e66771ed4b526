//! The front page: what can be looked at, as plain text.

use axum::extract::State;

use crate::admin::Admin;

pub(crate) async fn index(State(admin): State<Admin>) -> String {
    format!(
        "Bessemer {}\n\n\
         /health           every destination, 503 when one fails\n\
         /readyz           503 while no data is taken\n\
         /livez            the process lives\n\
         /metrics          OpenMetrics\n\
         /api/v1/events    ?classification=critical&service=...&severity=ERROR&text=...\n\
         \x20                 &from=...&until=...&limit=...&cursor=...\n\
         /api/v1/compliance\n\
         /api/v1/ledger    ?record=...&destination=...&since=...\n\
         /api/v1/dead-letters  ?destination=...&status=400&reason=...&where=...&limit=...\n\
         /api/v1/replays\n\
         /api/v1/cost\n\
         /api/v1/llm\n\
         /api/v1/templates\n\
         /api/v1/rules\n\
         /api/v1/explain   ?message=...&severity=17\n\
         /api/v1/feedback  ?component=...&format=json|jsonl\n\
         /api/v1/similar   ?message=...\n\
         /api/v1/graph     ?format=json|dot|mermaid\n",
        admin.version
    )
}
