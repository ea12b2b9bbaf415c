//! Which file answers a request, or why none does.

use crate::{answer, embedded, folder};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the files come from.
#[derive(Clone, Debug)]
enum Source {
    Program(Arc<embedded::AppFiles>),
    Folder(Arc<PathBuf>),
}

/// Answers every path that nobody else does. With `root` the files of that folder take the place of those in
/// the program.
pub fn router(root: Option<PathBuf>) -> Router {
    let source = match root {
        None => Source::Program(Arc::new(embedded::AppFiles::new())),
        Some(root) => Source::Folder(Arc::new(root)),
    };
    Router::new().fallback(serve).with_state(source)
}

async fn serve(
    State(source): State<Source>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let path = uri.path().trim_start_matches('/');
    // What would be a program's mistake is not to be answered with a page.
    if ["api", "transmission", "metrics"].iter().any(|face| path.split('/').next() == Some(face)) {
        return answer::absent(uri.path());
    }
    if ![Method::GET, Method::HEAD].contains(&method) {
        return answer::no_method();
    }
    match source {
        Source::Program(files) => files.answer(path, &headers),
        Source::Folder(root) => folder::answer(root, path.to_owned(), &headers).await,
    }
}
