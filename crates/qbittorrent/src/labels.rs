//! Categories and tags.

use crate::call::Call;
use crate::json::{Object, write_list, write_text};
use crate::reply::{Answer, Fault, Reply};
use crate::serve::Server;
use axum::http::StatusCode;
use piecework_catalog::{Category, Command, Refusal, RefusalKind};
use std::collections::BTreeSet;

/// A category as this dialect writes it.
pub(crate) fn write_category(out: &mut Vec<u8>, name: &str, category: &Category) {
    let mut object = Object::new(out);
    if let Some(path) = &category.incomplete_path {
        object.text("download_path", path);
    }
    object.text("name", name);
    object.text("savePath", &category.save_path);
    object.end();
}

/// `torrents/categories`.
pub(crate) async fn categories(server: &Server, _: &Call) -> Answer {
    let catalog = server.daemon.catalog();
    let mut out = Vec::new();
    let mut object = Object::new(&mut out);
    for (name, category) in catalog.categories() {
        write_category(object.key(name), name, category);
    }
    object.end();
    Ok(Reply::Json(out))
}

fn category(call: &Call) -> Result<(String, Category), Fault> {
    let name = call.filled("category").ok_or_else(|| Fault::bad("Category cannot be empty"))?;
    let incomplete_path = match call.flag("downloadPathEnabled") {
        Some(false) => None,
        _ => call.filled("downloadPath").map(str::to_owned),
    };
    let save_path = call.get("savePath").unwrap_or_default().to_owned();
    Ok((name.to_owned(), Category { save_path, incomplete_path }))
}

/// `torrents/createCategory`.
pub(crate) async fn create_category(server: &Server, call: &Call) -> Answer {
    let (name, category) = category(call)?;
    let created = server.daemon.command(Command::CreateCategory(name, category)).await;
    created.map_err(|refusal| conflict(refusal, "Unable to create category"))?;
    Ok(Reply::Empty)
}

/// `torrents/editCategory`.
pub(crate) async fn edit_category(server: &Server, call: &Call) -> Answer {
    let (name, category) = category(call)?;
    let edited = server.daemon.command(Command::EditCategory(name, category)).await;
    edited.map_err(|refusal| conflict(refusal, "Unable to edit category"))?;
    Ok(Reply::Empty)
}

/// Programs expect 409 for a category that cannot be made or changed, whatever the reason.
fn conflict(refusal: Refusal, what: &str) -> Fault {
    match refusal.kind {
        RefusalKind::Failed => refusal.into(),
        _ => Fault { status: StatusCode::CONFLICT, text: format!("{what}: {}", refusal.text) },
    }
}

/// `torrents/removeCategories`: names on lines. Those that are not there are left out.
pub(crate) async fn remove_categories(server: &Server, call: &Call) -> Answer {
    call.required("categories")?;
    let named = call.list("categories", '\n');
    let there: Vec<String> = {
        let catalog = server.daemon.catalog();
        let is_there = |name: &&str| catalog.categories().contains_key(*name);
        named.into_iter().filter(is_there).map(str::to_owned).collect()
    };
    if !there.is_empty() {
        server.daemon.command(Command::RemoveCategories(there)).await?;
    }
    Ok(Reply::Empty)
}

/// `torrents/setCategory`: an empty one takes the category away, an unknown one is refused.
pub(crate) async fn set_category(server: &Server, call: &Call) -> Answer {
    let category = call.required("category")?;
    let category = (!category.is_empty()).then(|| category.to_owned());
    let ids = {
        let catalog = server.daemon.catalog();
        if category.as_ref().is_some_and(|name| !catalog.categories().contains_key(name)) {
            return Err(Fault::conflict("Incorrect category name"));
        }
        call.torrents(&catalog)?
    };
    server.daemon.command(Command::SetCategory(ids, category)).await?;
    Ok(Reply::Empty)
}

/// `torrents/tags`.
pub(crate) async fn tags(server: &Server, _: &Call) -> Answer {
    let catalog = server.daemon.catalog();
    let mut out = Vec::new();
    write_list(&mut out, catalog.tags().iter(), |out, tag| write_text(out, tag));
    Ok(Reply::Json(out))
}

/// Tags between commas.
pub(crate) fn tags_of(call: &Call) -> BTreeSet<String> {
    call.list("tags", ',').into_iter().map(str::to_owned).collect()
}

/// `torrents/createTags`.
pub(crate) async fn create_tags(server: &Server, call: &Call) -> Answer {
    call.required("tags")?;
    server.daemon.command(Command::CreateTags(tags_of(call))).await?;
    Ok(Reply::Empty)
}

/// `torrents/deleteTags`.
pub(crate) async fn delete_tags(server: &Server, call: &Call) -> Answer {
    call.required("tags")?;
    let tags = {
        let catalog = server.daemon.catalog();
        tags_of(call).into_iter().filter(|tag| catalog.tags().contains(tag)).collect()
    };
    server.daemon.command(Command::DeleteTags(tags)).await?;
    Ok(Reply::Empty)
}

/// `torrents/addTags`.
pub(crate) async fn add_tags(server: &Server, call: &Call) -> Answer {
    call.required("tags")?;
    let ids = call.torrents(&server.daemon.catalog())?;
    server.daemon.command(Command::AddTags(ids, tags_of(call))).await?;
    Ok(Reply::Empty)
}

/// `torrents/setTags`.
pub(crate) async fn set_tags(server: &Server, call: &Call) -> Answer {
    call.required("tags")?;
    let ids = call.torrents(&server.daemon.catalog())?;
    server.daemon.command(Command::SetTags(ids, tags_of(call))).await?;
    Ok(Reply::Empty)
}

/// `torrents/removeTags`: all where none is named.
pub(crate) async fn remove_tags(server: &Server, call: &Call) -> Answer {
    let ids = call.torrents(&server.daemon.catalog())?;
    server.daemon.command(Command::RemoveTags(ids, tags_of(call))).await?;
    Ok(Reply::Empty)
}
