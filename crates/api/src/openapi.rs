//! The description of the own API (OpenAPI 3.1), made from the routes themselves.

use crate::problem::Code;
use crate::routes::{guarded_routes, open_routes, verbs_doc};
use axum::response::Response;
use piecework_catalog::Field;
use serde_json::{Map, Value, json};
use std::sync::OnceLock;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{OpenApi, PartialSchema, ToSchema};

/// What stands at the top.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Piecework",
        version = "1",
        description = "The node's own API. Numbers of bytes are JSON numbers: below 2^53, which is \
            nine petabytes, every reader has them exactly. Times are unix seconds unless their names \
            say otherwise. Problems are application/problem+json (RFC 9457) with a stable code.",
        license(name = "MIT OR Apache-2.0"),
    ),
    servers((url = "/api/v1")),
    tags(
        (name = "torrents", description = "Torrents and their queue."),
        (name = "files", description = "What is in a torrent, and streaming."),
        (name = "peers", description = "Peers, trackers and web seeds."),
        (name = "categories", description = "Categories and tags."),
        (name = "feeds", description = "RSS and Atom feeds, and rules that choose from them."),
        (name = "settings", description = "Settings, speeds and folders."),
        (name = "node", description = "The node as a whole."),
        (name = "wallet", description = "The wallet, what it sends, and what it has in the vault."),
        (name = "money", description = "What was earned and spent."),
        (name = "events", description = "Changes as they happen."),
        (name = "access", description = "Who may ask what."),
    )
)]
struct Top;

/// The description as JSON, the same on every machine.
pub fn openapi() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let mut api = Top::openapi();
        api.merge(open_routes().into_openapi());
        api.merge(guarded_routes().into_openapi());
        api.merge(verbs_doc());
        let mut value = serde_json::to_value(&api).unwrap_or_default();
        complete(&mut value);
        format!("{value:#}\n")
    })
}

/// Answers with the description. It says nothing that is not public: anybody may have it.
pub(crate) async fn serve() -> Response {
    crate::extract::raw_json(openapi())
}

/// What holds for all routes: how to be let in, and that each may have a problem.
fn complete(api: &mut Value) {
    let security = json!([{ "key": [] }, { "login": [] }]);
    api["components"]["securitySchemes"] = json!({
        "key": { "type": "http", "scheme": "bearer", "description": "An API key: pw_..." },
        "login": { "type": "apiKey", "in": "cookie", "name": crate::guard::COOKIE },
    });
    let problem = serde_json::to_value(ProblemView::schema()).unwrap_or_default();
    api["components"]["schemas"]["Problem"] = problem;
    api["components"]["responses"]["Problem"] = json!({
        "description": codes(),
        "content": {
            "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } },
        },
    });
    api["security"] = security;
    relax(api);
    // Of a form this cannot be said where it is declared.
    api["components"]["schemas"]["NewFiles"]["additionalProperties"] = json!(false);
    let paths = api["paths"].as_object_mut().into_iter().flatten();
    for (_, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            if ["get", "put", "post", "patch", "delete"].contains(&method.as_str()) {
                operation["responses"]["default"] =
                    json!({ "$ref": "#/components/responses/Problem" });
            }
        }
    }
}

/// What is left out of a change stays, and `null` is something else; to name a tag twice is not wrong;
/// numbers end where their bounds say.
fn relax(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, value| match key.as_str() {
                "default" => !value.is_null(),
                "format" => !value.as_str().is_some_and(|format| format.starts_with("int")),
                "uniqueItems" => false,
                _ => true,
            });
            map.values_mut().for_each(relax);
        }
        Value::Array(list) => list.iter_mut().for_each(relax),
        _ => {}
    }
}

/// The one table of codes, for people.
fn codes() -> String {
    let line = |code: &Code| format!("`{}` {}: {}", code.word(), code.status(), code.title());
    let lines: Vec<String> = Code::ALL.iter().map(line).collect();
    format!("What went wrong. Codes:\n\n- {}", lines.join("\n- "))
}

fn schema(value: Value) -> RefOr<Schema> {
    let schema: Result<Schema, _> = serde_json::from_value(value);
    RefOr::T(schema.unwrap_or_default())
}

/// A problem.
pub(crate) struct ProblemView;

impl PartialSchema for ProblemView {
    fn schema() -> RefOr<Schema> {
        let words: Vec<&str> = Code::ALL.iter().map(|code| code.word()).collect();
        schema(json!({
            "type": "object",
            "description": "RFC 9457. Programs decide by the code, people read the detail.",
            "required": ["type", "title", "status", "code", "detail"],
            "properties": {
                "type": { "type": "string" },
                "title": { "type": "string" },
                "status": { "type": "integer" },
                "code": { "type": "string", "enum": words },
                "detail": { "type": "string", "description": "Cause and remedy on one line." },
            },
        }))
    }
}

impl ToSchema for ProblemView {
    fn name() -> std::borrow::Cow<'static, str> {
        "Problem".into()
    }
}

/// A torrent: any of the catalog's fields.
pub(crate) struct TorrentView;

impl PartialSchema for TorrentView {
    fn schema() -> RefOr<Schema> {
        let mut properties: Map<String, Value> =
            Field::ALL.iter().map(|field| (field.word().into(), shape(*field))).collect();
        for word in ["file_count", "piece_bytes", "piece_count"] {
            let about = "Of one torrent alone, once it is known.";
            properties.insert(word.into(), json!({ "type": "integer", "description": about }));
        }
        schema(json!({
            "type": "object",
            "description": "Fields of a torrent. null: nothing, or not known. Parts are in thousandths.",
            "properties": properties,
            "example": {
                "id": "dd8255ecdc7ca55fb0bbf81323d87062db1f6d1c", "name": "A film",
                "stage": "downloading", "size_bytes": 276_445_467, "progress_milli": 250,
            },
        }))
    }
}

impl ToSchema for TorrentView {
    fn name() -> std::borrow::Cow<'static, str> {
        "Torrent".into()
    }
}

/// What a field holds.
fn shape(field: Field) -> Value {
    use Field::*;
    match field {
        Id | Name | Stage | SavePath => json!({ "type": "string" }),
        V1 | V2 | Error | Category | IncompletePath | ContentPath | Magnet | Tracker => {
            json!({ "type": ["string", "null"] })
        }
        IsForced | IsAutomatic | IsSequential | EdgesFirst | IsSuperSeed => {
            json!({ "type": "boolean" })
        }
        IsPrivate => json!({ "type": ["boolean", "null"] }),
        Tags => json!({ "type": "array", "items": { "type": "string" } }),
        ShareRatioMilli | ShareSeedingMinutes | ShareInactiveMinutes => {
            json!({ "type": ["integer", "string"], "description": "`global`, `unlimited` or a number." })
        }
        ShareAction => json!({ "type": "string" }),
        SizeBytes | WantedBytes | LeftBytes | ProgressMilli | DownRate | UpRate | DownBytes
        | UpBytes | SessionDownBytes | SessionUpBytes | WastedBytes | Peers | Seeds | AddedAt
        | ActiveSeconds | SeedingSeconds | TrackerCount => json!({ "type": "integer" }),
        Queue | EtaSeconds | MovedMilli | RatioMilli | SwarmPeers | SwarmSeeds
        | AvailabilityMilli | CompletedAt | LastActivityAt | SeenCompleteAt | DownLimit
        | UpLimit => {
            json!({ "type": ["integer", "null"] })
        }
    }
}

/// A list of torrents.
pub(crate) struct TorrentList;

impl PartialSchema for TorrentList {
    fn schema() -> RefOr<Schema> {
        schema(json!({
            "type": "object",
            "required": ["revision", "total", "next", "torrents"],
            "properties": {
                "revision": { "type": "integer", "description": "As of which revision; see /events." },
                "total": { "type": "integer", "description": "Torrents that the filter lets through." },
                "next": { "type": ["string", "null"], "description": "What `after` is to be for more." },
                "torrents": { "type": "array", "items": { "$ref": "#/components/schemas/Torrent" } },
            },
        }))
    }
}

impl ToSchema for TorrentList {
    fn name() -> std::borrow::Cow<'static, str> {
        "TorrentList".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("Torrent".into(), TorrentView::schema()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api/openapi.json");

    /// With `UPDATE_DOCS` set it writes the file instead.
    #[test]
    fn the_description_in_the_documents_is_what_is_served() {
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(PATH, openapi()).unwrap();
        }
        let there = std::fs::read_to_string(PATH).unwrap();
        assert!(there == openapi(), "run UPDATE_DOCS=1 cargo test -p piecework-api");
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_route_is_told_of() {
        let api: Value = serde_json::from_str(openapi()).unwrap();
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(map) => map.iter().for_each(|(key, value)| match value {
                    Value::String(to) if key == "$ref" => found.push(to),
                    value => references(value, found),
                }),
                Value::Array(list) => list.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        references(&api, &mut found);
        assert!(found.len() > 50, "{}", found.len());
        for to in found {
            assert!(api.pointer(to.trim_start_matches('#')).is_some(), "{to}");
        }
        let paths = api["paths"].as_object().unwrap();
        for path in ["/torrents", "/torrents/{id}", "/torrents/{id}:start", "/events", "/session"] {
            assert!(paths.contains_key(path), "{path}");
        }
        assert_eq!(api["openapi"], "3.1.0");
    }
}
