//! Finds the tables, and checks that they show every row: hidden rows would count as missing.

use diesel::{
    PgConnection,
    connection::SimpleConnection,
    sql_types::{Array, Bool, Nullable, Text},
};

use super::errors::Failure;
use crate::store::{
    StoreError,
    sql::{Sql, row, rows},
};

/// The schema in which the tables are: the first of the search_path that has all of them, or else some of them.
/// Without any table it is the schema in which to make them: the first of the path, and `public` where the path
/// has no schema at all.
pub(super) fn place(connection: &mut PgConnection) -> Result<String, Failure> {
    match row::<Place, Option<String>, _>(connection, &[])?.flatten() {
        Some(schema) => Ok(schema),
        None => {
            let (path, source): (String, String) =
                row::<SearchPath, _, _>(connection, &[])?.unwrap_or_default();
            Err(StoreError::Unusable(format!(
                "the setting search_path is '{path}' (from: {source}) and names no schema that exists: add \
                 options=-c%20search_path%3DNAME to the URL"
            ))
            .into())
        }
    }
}

/// The error that names the other schemas with such tables, if there are any.
pub(super) fn elsewhere(connection: &mut PgConnection) -> Result<Option<StoreError>, Failure> {
    let schemas: Vec<String> = row::<OtherSchemas, _, _>(connection, &[])?.unwrap_or_default();
    if schemas.is_empty() {
        return Ok(None);
    }
    // Our search_path has replaced the one to show.
    connection.batch_execute("RESET search_path")?;
    let (path, source): (String, String) = row::<SearchPath, _, _>(connection, &[])?.unwrap_or_default();
    Ok(Some(StoreError::Unusable(format!(
        "the setting search_path is '{path}' (from: {source}), which has no Sign Wave tables; schema {} has them: add \
         options=-c%20search_path%3DNAME to the URL",
        schemas.join(" and schema ")
    ))))
}

/// Refuses tables that may hide rows.
pub(super) fn check(connection: &mut PgConnection) -> Result<(), Failure> {
    match problem(connection)? {
        None => Ok(()),
        Some(problem) => Err(StoreError::Unusable(problem).into()),
    }
}

/// What is wrong with the first table that is not as it must be, for this role.
pub(super) fn problem(connection: &mut PgConnection) -> Result<Option<String>, Failure> {
    let tables: Vec<RawTable> = rows::<Tables, _, _>(connection, &[])?;
    Ok(tables.into_iter().find_map(|(name, role, kind, (hides, has_rules, inherits, readable))| {
        let kind = kind.as_deref();
        if kind.is_none() {
            Some(format!("there is no table {name}"))
        } else if kind != Some("rp") {
            Some(format!("{name} is not an ordinary table (it is a view, or foreign, partitioned, unlogged or temporary)"))
        } else if !readable && name == "signing_key" {
            Some(format!(
                "role {role} may not read table signing_key: grant it the rights of signwave_auditor in \
                 packaging/roles.sql (everything but the sealed keys)"
            ))
        } else if !readable {
            Some(format!(
                "role {role} may not read table {name}: GRANT SELECT ON {name} TO {role} (packaging/roles.sql has a role \
                 that may read everything)"
            ))
        } else if hides {
            Some(format!(
                "row-level security hides rows of table {name} from role {role}: ALTER TABLE {name} DISABLE ROW LEVEL \
                 SECURITY, or ALTER ROLE {role} BYPASSRLS"
            ))
        } else if has_rules {
            Some(format!("table {name} has a rule, which may change what is stored: DROP RULE .. ON {name}"))
        } else if inherits {
            Some(format!("table {name} inherits, or is inherited from: ALTER TABLE .. NO INHERIT"))
        } else {
            None
        }
    }))
}

/// Name, this role, kind and persistence, and: hidden rows, rules, inheritance, the right to read.
type RawTable = (String, String, Option<String>, (bool, bool, bool, bool));

struct Tables;
impl Sql for Tables {
    const TEXT: &'static str = "SELECT name, quote_ident(current_user), relkind::text || relpersistence::text, \
         coalesce(row_security_active(class.oid), false), \
         EXISTS (SELECT FROM pg_rewrite WHERE ev_class = class.oid), \
         EXISTS (SELECT FROM pg_inherits WHERE class.oid IN (inhrelid, inhparent)), \
         coalesce(has_any_column_privilege(class.oid, 'SELECT'), false) \
         FROM unnest('{__diesel_schema_migrations,record,signing_key,node,batch,signature,gap,feed,unsequenced,feed_identity}'::text[]) AS name \
         LEFT JOIN pg_class AS class ON relname = name \
         AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())";
    type Columns = (Text, Text, Nullable<Text>, (Bool, Bool, Bool, Bool));
}

/// Temporary tables are not ours.
struct Place;
impl Sql for Place {
    const TEXT: &'static str = "SELECT coalesce((SELECT nspname FROM pg_namespace AS n \
             JOIN unnest(CASE WHEN current_schema() IS NULL THEN '{public}' ELSE current_schemas(false)::text[] END) \
             WITH ORDINALITY AS path (name, place) ON name = nspname, \
             LATERAL (SELECT count(*) AS tables FROM pg_class WHERE relnamespace = n.oid \
                 AND relname IN ('record', 'batch', 'signature', 'signing_key', '__diesel_schema_migrations')) AS has \
             WHERE n.oid <> pg_my_temp_schema() AND tables > 0 ORDER BY tables = 5 DESC, place LIMIT 1), \
         current_schema(), (SELECT nspname FROM pg_namespace WHERE nspname = 'public'))::text";
    type Columns = Nullable<Text>;
}

struct OtherSchemas;
impl Sql for OtherSchemas {
    const TEXT: &'static str = "SELECT coalesce(array_agg(quote_ident(nspname) ORDER BY nspname), '{}')::text[] \
         FROM pg_namespace AS n WHERE (SELECT count(*) FROM pg_class WHERE relnamespace = n.oid \
         AND relname IN ('record', 'batch', 'signature', 'signing_key', '__diesel_schema_migrations')) = 5";
    type Columns = Array<Text>;
}

struct SearchPath;
impl Sql for SearchPath {
    const TEXT: &'static str = "SELECT setting, source FROM pg_settings WHERE name = 'search_path'";
    type Columns = (Text, Text);
}
