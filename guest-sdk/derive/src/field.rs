//! A field, which is a parameter.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{
    Attribute, Error, Expr, ExprLit, ExprUnary, Ident, Lit, LitFloat, Meta, Type, UnOp, ext::IdentExt, spanned::Spanned,
};

/// What may stand in `#[param(..)]`.
const KEYS: [&str; 7] = ["default", "minimum", "maximum", "choices", "unit", "axes", "dtypes"];

/// A field of the struct.
pub(crate) struct Field<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    doc: String,
    /// What stands in its attributes: key and value.
    settings: Vec<(Ident, Expr)>,
}

impl<'a> Field<'a> {
    pub(crate) fn new(field: &'a syn::Field) -> syn::Result<Self> {
        let ident = field.ident.as_ref().ok_or_else(|| Error::new_spanned(field, "a parameter has a name"))?;
        let mut settings: Vec<(Ident, Expr)> = Vec::new();
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("param")) {
            attribute.parse_nested_meta(|meta| {
                let key = meta.path.require_ident()?;
                if !KEYS.iter().any(|known| key == known) {
                    return Err(meta.error(format!("expected one of {}", KEYS.join(", "))));
                }
                if settings.iter().any(|(known, _)| known == key) {
                    return Err(meta.error(format!("`{key}` is there twice")));
                }
                settings.push((key.clone(), meta.value()?.parse()?));
                Ok(())
            })?;
        }
        Ok(Self { ident, ty: &field.ty, doc: doc(&field.attrs), settings })
    }

    /// The expression that declares the parameter.
    pub(crate) fn declared(&self) -> TokenStream {
        let (ty, name, doc) = (self.ty, self.name(), &self.doc);
        let settings = self.settings.iter().map(|(key, value)| match key.to_string().as_str() {
            "default" => quote_spanned! { value.span() =>
                .default({
                    let default: <#ty as ::lthost_guest_sdk::FromValue>::Literal = #value;
                    default
                })
            },
            "minimum" | "maximum" => {
                let number = number(value);
                quote! { .#key(#number) }
            }
            "unit" => quote! { .unit(#value) },
            // Lists.
            _ => quote! { .#key(&#value) },
        });
        quote_spanned! { ty.span() =>
            <#ty as ::lthost_guest_sdk::FromValue>::declare(#name) #(#settings)* .doc(#doc)
        }
    }

    /// The field and its value.
    pub(crate) fn read(&self) -> TokenStream {
        let (ident, name) = (self.ident, self.name());
        quote_spanned! { self.ty.span() => #ident: params.get(#name)? }
    }

    fn name(&self) -> String {
        self.ident.unraw().to_string()
    }
}

/// A number, which may be written as a whole one.
fn number(value: &Expr) -> Expr {
    let mut value = value.clone();
    let literal = match &mut value {
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => expr,
        other => other,
    };
    if let Expr::Lit(ExprLit { lit, .. }) = literal
        && let Lit::Int(int) = &*lit
        && int.suffix().is_empty()
    {
        *lit = Lit::Float(LitFloat::new(&format!("{}.0", int.base10_digits()), int.span()));
    }
    value
}

/// The doc comment, as one line.
fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
