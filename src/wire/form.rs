//! Forms: `application/x-www-form-urlencoded`, in UTF-8, of a body or behind the `?` of an address.

use form_urlencoded::{Serializer, parse};

/// The text of a form.
pub fn text(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The first value of a name in a form.
pub fn value(form: &str, name: &str) -> Option<String> {
    parse(form.as_bytes()).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out() {
        let data = r#"{"token":"d970cff4-3811-438b-ba90-50503510345b","n":"京A 1&b=%41+"}"#;
        let form = text(&[("merchant_no", "98"), ("data", data)]);
        assert!(form.is_ascii() && !form.contains(' '));
        assert_eq!(value(&form, "data").as_deref(), Some(data));
        assert_eq!(value(&form, "sign"), None);
    }

    #[test]
    fn the_documents_form() {
        let body = "merchant_no=9827c6b5c6d94485b912b6e90c92a7ae&time_stamp=20170328172011&\
                    data=%7B%22token%22%3A%22d970cff4-3811-438b-ba90-50503510345b%22%7D";
        let data = value(body, "data").unwrap();
        assert_eq!(data, r#"{"token":"d970cff4-3811-438b-ba90-50503510345b"}"#);
        let pairs =
            [("merchant_no", "9827c6b5c6d94485b912b6e90c92a7ae"), ("time_stamp", "20170328172011"), ("data", &*data)];
        assert_eq!(text(&pairs), body);
    }
}
