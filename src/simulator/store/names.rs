//! Names for generated tenants, and the built-in roles.

use uuid::{Uuid, uuid};

/// First names.
pub(super) const FIRST_NAMES: [&str; 40] = [
    "Adele",
    "Alex",
    "Amara",
    "Ana",
    "Aylin",
    "Björn",
    "Carlos",
    "Chen",
    "Chloé",
    "Daiki",
    "Dana",
    "Diego",
    "Elena",
    "Emeka",
    "Fatima",
    "Finn",
    "Grace",
    "Hana",
    "Henrietta",
    "Ingrid",
    "Isaiah",
    "Jamal",
    "Joni",
    "Kofi",
    "Lee",
    "Lidia",
    "Lynne",
    "Megan",
    "Miriam",
    "Nestor",
    "Nikhil",
    "Noor",
    "Olga",
    "Patti",
    "Pradeep",
    "Raul",
    "Søren",
    "Tomás",
    "Yuki",
    "Zoë",
];

/// Family names.
pub(super) const FAMILY_NAMES: [&str; 40] = [
    "Abara",
    "Bakker",
    "Berger",
    "Castillo",
    "Chowdhury",
    "Cruz",
    "D'Angelo",
    "Dubois",
    "Eriksen",
    "Fernández",
    "Fischer",
    "García",
    "Gruber",
    "Haddad",
    "Hansen",
    "Ivanova",
    "Jansen",
    "Kim",
    "Kowalski",
    "Larsen",
    "Li",
    "Martin",
    "Müller",
    "Nguyen",
    "Novak",
    "O'Brien",
    "Okafor",
    "Patel",
    "Pérez",
    "Rossi",
    "Sato",
    "Schmidt",
    "Silva",
    "Singh",
    "Smith",
    "Tanaka",
    "Vance",
    "Wilber",
    "Yılmaz",
    "Zhang",
];

/// Departments. Each one has a group.
pub(super) const DEPARTMENTS: [&str; 10] = [
    "Engineering",
    "Finance",
    "Human Resources",
    "IT",
    "Legal",
    "Manufacturing",
    "Marketing",
    "Operations",
    "Research",
    "Sales",
];

/// Countries, with a city in each.
pub(super) const CITIES: [(&str, &str); 6] = [
    ("Germany", "Berlin"),
    ("France", "Lyon"),
    ("United States", "Seattle"),
    ("Japan", "Osaka"),
    ("Brazil", "Recife"),
    ("India", "Pune"),
];

/// Job titles.
pub(super) const TITLES: [&str; 6] = ["Analyst", "Assistant", "Engineer", "Lead", "Specialist", "Trainee"];

/// Domains of guests, with their companies.
pub(super) const PARTNERS: [(&str, &str); 3] = [
    ("partner.example", "Partner Inc"),
    ("supplier.example", "Supplier GmbH"),
    ("fabrikam.example", "Fabrikam"),
];

/// Built-in roles and their templates (Entra's reference of built-in roles).
const ROLES: [(&str, Uuid); 14] = [
    ("Global Administrator", uuid!("62e90394-69f5-4237-9190-012177145e10")),
    ("User Administrator", uuid!("fe930be7-5e62-47db-91af-98c3a49a38b1")),
    ("Helpdesk Administrator", uuid!("729827e3-9c14-49f7-bb1b-9608f156bbb8")),
    ("Privileged Role Administrator", uuid!("e8611ab8-c189-46e8-94e1-60213ab1f814")),
    ("Privileged Authentication Administrator", uuid!("7be44c8a-adaf-4e2a-84d6-ab2649e08a13")),
    ("Authentication Administrator", uuid!("c4e39bd9-1100-46d3-8c65-fb160da0071f")),
    ("Security Administrator", uuid!("194ae4cb-b126-40b2-bd5b-6091b380977d")),
    ("Security Operator", uuid!("5f2222b1-57c3-48ba-8ad5-d4759f1fde6f")),
    ("Security Reader", uuid!("5d6b6bb7-de71-4623-b4af-96380a352509")),
    ("Conditional Access Administrator", uuid!("b1be1c3e-b65d-4f19-8427-f6fa0d97feb9")),
    ("Application Administrator", uuid!("9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3")),
    ("Exchange Administrator", uuid!("29232cdf-9323-42fd-ade2-1d097af3e4de")),
    ("Directory Readers", uuid!("88d8e3e3-8f55-4a1e-953a-9b9898b8876b")),
    ("Global Reader", uuid!("f2ef992c-3afb-46b9-b7cf-a126ee74c451")),
];

/// The known built-in roles and their templates.
pub(super) fn roles() -> impl Iterator<Item = (&'static str, Uuid)> {
    ROLES.iter().copied()
}

/// The template of a built-in role.
pub(super) fn template(role: &str) -> Option<Uuid> {
    ROLES.iter().find(|(name, _)| name.eq_ignore_ascii_case(role)).map(|&(_, id)| id)
}
