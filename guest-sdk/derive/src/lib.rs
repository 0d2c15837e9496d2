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
    let (declared, read, mistakes) = match fields(&input) {
        Ok((declared, read)) => {
            (quote! { ::std::vec![#(#declared),*] }, quote! { ::core::result::Result::Ok(Self { #(#read),* }) }, None)
        }
        // An implementation even so: that there is none would be told of every place that uses it.
        Err(mistakes) => (quote! { ::std::vec![] }, quote! { loop {} }, Some(mistakes.into_compile_error())),
    };
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    quote! {
        #mistakes

        #[automatically_derived]
        impl #impl_generics ::lthost_guest_sdk::Parameters for #name #type_generics #where_clause {
            fn declared() -> ::std::vec::Vec<::lthost_guest_sdk::Parameter> {
                #declared
            }

            fn read(params: &::lthost_guest_sdk::Params) -> ::lthost_guest_sdk::Result<Self> {
                #read
            }
        }
    }
    .into()
}

/// For each field what declares it, and what reads it.
fn fields(input: &DeriveInput) -> syn::Result<(Vec<TokenStream>, Vec<TokenStream>)> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "parameters are the fields of a struct"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(&input.ident, "parameters are named: give the fields names"));
    };
    let (mut declared, mut read) = (Vec::new(), Vec::new());
    // All mistakes at once.
    let mut mistakes: Option<Error> = None;
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
    mistakes.map_or(Ok((declared, read)), Err)
}
