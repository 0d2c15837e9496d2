//! `#[derive(Parameters)]` of lthost-guest-sdk, which says how to use it.

mod field;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, parse_macro_input};

use field::Field;

/// Declares the fields of a struct as parameters of a UDF, and reads them.
#[proc_macro_derive(Parameters, attributes(param))]
pub fn parameters(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    implementation(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn implementation(input: &DeriveInput) -> syn::Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "parameters are the fields of a struct"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(&input.ident, "parameters are named: give the fields names"));
    };
    // All mistakes at once.
    let mut mistakes: Option<Error> = None;
    let mut declared = Vec::new();
    let mut read = Vec::new();
    for field in &fields.named {
        match Field::new(field) {
            Ok(field) => {
                declared.push(field.declared());
                read.push(field.read());
            }
            Err(error) => match &mut mistakes {
                Some(mistakes) => mistakes.combine(error),
                None => mistakes = Some(error),
            },
        }
    }
    if let Some(mistakes) = mistakes {
        return Err(mistakes);
    }
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::lthost_guest_sdk::Parameters for #name #type_generics #where_clause {
            fn declared() -> ::std::vec::Vec<::lthost_guest_sdk::Parameter> {
                ::std::vec![#(#declared),*]
            }

            fn read(params: &::lthost_guest_sdk::Params) -> ::lthost_guest_sdk::Result<Self> {
                ::core::result::Result::Ok(Self { #(#read),* })
            }
        }
    })
}
