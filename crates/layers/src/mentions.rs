//! The paths that the code of a module names, the methods that it calls, its `use` declarations,
//! and its functions.
//!
//! Macro calls are read as tokens: everything that looks like a path there counts as one. A
//! lower-case name that its function binds (a parameter, a `let`) is a variable, unless it is
//! called.

use std::collections::{BTreeSet, HashSet};

use proc_macro2::{LineColumn, TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, ExprCall, ExprMethodCall, ImplItem, ImplItemFn, Item, ItemFn, ItemUse, Macro, Meta, PatIdent,
};
use syn::{Signature, Stmt, Token, TraitItem, TraitItemFn};

/// A function or method with a body.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) lines: usize,
}

/// What is found in the items of a module.
#[derive(Default)]
pub(crate) struct Mentions {
    /// The first segment is empty if the path begins with `::`.
    pub(crate) paths: BTreeSet<Vec<String>>,
    /// Names of the methods that are called.
    pub(crate) methods: BTreeSet<String>,
    /// Declarations, also those within functions.
    pub(crate) uses: Vec<ItemUse>,
    pub(crate) functions: Vec<Function>,
    /// Names that the current function binds.
    bound: HashSet<String>,
}

impl Mentions {
    /// Adds what an item holds.
    pub(crate) fn take(&mut self, item: &Item) {
        self.visit_item(item);
    }

    /// Takes a path, unless it is a variable.
    fn mention(&mut self, path: Vec<String>, is_called: bool) {
        let [name] = &path[..] else {
            self.paths.insert(path);
            return;
        };
        if is_called || begins_upper_case(name) || !self.bound.contains(name) {
            self.paths.insert(path);
        }
    }

    /// Takes a function, and what it names.
    fn function(&mut self, signature: &Signature, body: &Block, visit: impl FnOnce(&mut Self)) {
        let first = signature.fn_token.span.start().line;
        let last = body.brace_token.span.close().end().line;
        self.functions.push(Function { name: signature.ident.to_string(), lines: last - first + 1 });
        let mut bindings = Bindings(self.bound.clone());
        bindings.visit_signature(signature);
        bindings.visit_block(body);
        let outer = std::mem::replace(&mut self.bound, bindings.0);
        visit(self);
        self.bound = outer;
    }

    /// Takes what looks like a path in the tokens of a macro call.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is_punct = |at: usize, wanted: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == wanted);
        let mut at = 0;
        while at < tokens.len() {
            let is_member = at > 0 && is_punct(at - 1, '.') && !(at > 1 && is_punct(at - 2, '.'));
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(method) if is_member && matches!(tokens.get(at + 1), Some(TokenTree::Group(_))) => {
                    self.methods.insert(method.to_string());
                }
                TokenTree::Ident(first) if !is_member => {
                    let mut path = vec![first.to_string()];
                    while let (true, true, Some(TokenTree::Ident(next))) =
                        (is_punct(at + 1, ':'), is_punct(at + 2, ':'), tokens.get(at + 3))
                    {
                        path.push(next.to_string());
                        at += 3;
                    }
                    self.mention(path, matches!(tokens.get(at + 1), Some(TokenTree::Group(_))));
                }
                _ => {}
            }
            at += 1;
        }
    }
}

impl<'ast> Visit<'ast> for Mentions {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test_only(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.function(&item.sig, &item.block, |mentions| visit::visit_item_fn(mentions, item));
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => return,
        };
        if !attributes.iter().any(marks_test) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.function(&item.sig, &item.block, |mentions| visit::visit_impl_item_fn(mentions, item));
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        match item {
            TraitItem::Fn(item) if item.attrs.iter().any(marks_test) => {}
            item => visit::visit_trait_item(self, item),
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        match &item.default {
            Some(body) => self.function(&item.sig, body, |mentions| visit::visit_trait_item_fn(mentions, item)),
            None => visit::visit_trait_item_fn(self, item),
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        match statement {
            Stmt::Local(local) if local.attrs.iter().any(marks_test) => {}
            Stmt::Macro(call) if call.attrs.iter().any(marks_test) => {}
            statement => visit::visit_stmt(self, statement),
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.uses.push(item.clone());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.mention(segments(path), false);
        visit::visit_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let syn::Expr::Path(function) = &*call.func {
            self.mention(segments(&function.path), true);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.methods.insert(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        // A constant or a variant without data looks like a binding.
        self.mention(vec![pattern.ident.to_string()], false);
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.mention(segments(&call.path), true);
        self.tokens(call.tokens.clone());
    }

    /// Attributes name derive macros and what those understand, not our code.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    /// `pub(in path)` names the module itself or one around it.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

/// Gathers the lower-case names that patterns bind.
struct Bindings(HashSet<String>);

impl<'ast> Visit<'ast> for Bindings {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        let name = pattern.ident.to_string();
        if !begins_upper_case(&name) {
            self.0.insert(name);
        }
        visit::visit_pat_ident(self, pattern);
    }
}

/// The segments of a path without their generic arguments.
fn segments(path: &syn::Path) -> Vec<String> {
    let root = path.leading_colon.iter().map(|_| String::new());
    root.chain(path.segments.iter().map(|segment| segment.ident.to_string())).collect()
}

fn begins_upper_case(name: &str) -> bool {
    name.chars().next().is_some_and(char::is_uppercase)
}

/// Whether only tests see an item.
pub(crate) fn is_test_only(item: &Item) -> bool {
    attributes(item).iter().any(marks_test)
}

/// Lines of an item, with its attributes.
pub(crate) fn lines_of(item: &Item) -> usize {
    let Some(first) = attributes(item).first().map(|attribute| attribute.pound_token.span.start()) else { return 0 };
    let last: LineColumn = match item {
        Item::Fn(item) => item.block.brace_token.span.close().end(),
        Item::Impl(item) => item.brace_token.span.close().end(),
        Item::Mod(item) => item.content.as_ref().map_or(first, |(braces, _)| braces.span.close().end()),
        _ => first,
    };
    last.line - first.line + 1
}

/// Whether an attribute makes its item one of tests: `#[test]`, `#[tokio::test]`, `#[cfg(test)]`.
fn marks_test(attribute: &Attribute) -> bool {
    match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            syn::parse2::<Meta>(list.tokens.clone()).is_ok_and(|predicate| needs_test(&predicate))
        }
        meta => meta.path().segments.last().is_some_and(|last| last.ident == "test"),
    }
}

/// Whether a `cfg` predicate holds in tests only.
fn needs_test(predicate: &Meta) -> bool {
    let Meta::List(list) = predicate else { return predicate.path().is_ident("test") };
    let Ok(parts) = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) else { return false };
    match list.path.get_ident() {
        Some(all) if all == "all" => parts.iter().any(needs_test),
        Some(any) if any == "any" => !parts.is_empty() && parts.iter().all(needs_test),
        _ => false,
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
