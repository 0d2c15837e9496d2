//! Reference vectors of helper functions: every case, against the library for plugin authors.

use std::collections::BTreeMap;

use lthost_guest_sdk::{
    field::{self, Orientation, Vector},
    masks::{self, Edge, Ellipse, RadialBins},
};
use serde_json::Value as Json;

use crate::vector_files::{Vectors, check_numbers, numbers, tolerance};

/// How the field of a guess was made from the one that all other cases have: what lay between scan and detector. The
/// vectors came without these inputs; the other ones are what the case without rotation gives back.
const GUESSES: [(&str, Orientation); 4] = [
    ("guess_0", Orientation { degrees: 0.0, flip_y: false }),
    ("guess_1", Orientation { degrees: 47.0, flip_y: true }),
    ("guess_2", Orientation { degrees: 120.0, flip_y: false }),
    ("guess_3", Orientation { degrees: 180.0, flip_y: false }),
];

#[test]
fn helper_functions_agree_with_the_reference_vectors() {
    let vectors = Vectors::open();
    let mut failures = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for case in vectors.index["functions"].as_array().unwrap() {
        *counts.entry(case["function"].as_str().unwrap()).or_default() += 1;
        if let Err(what) = check_case(&vectors, case) {
            failures.push(format!("{}: {what}", case["name"]));
        }
    }
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
    // A case that is not found is not a case that passes.
    let expected = [
        ("com.apply_correction", 10),
        ("com.coordinate_check", 1),
        ("com.curl_2d", 1),
        ("com.divergence", 1),
        ("com.guess_corrections", 4),
        ("com.magnitude", 1),
        ("masks.background_subtraction", 5),
        ("masks.balance", 1),
        ("masks.bounding_radius", 6),
        ("masks.circular", 17),
        ("masks.gradient_x/gradient_y", 6),
        ("masks.polar_map", 12),
        ("masks.radial_bins", 65),
        ("masks.radial_gradient", 10),
        ("masks.radial_gradient_background_subtraction", 1),
        ("masks.rectangular", 7),
        ("masks.ring", 10),
        ("masks.sparse_circular_multi_stack", 1),
        ("masks.sparse_template_multi_stack", 1),
    ];
    assert_eq!(counts, BTreeMap::from(expected));
    assert_eq!(counts.values().sum::<usize>(), 160);
}

fn check_case(vectors: &Vectors, case: &Json) -> Result<(), String> {
    let function = case["function"].as_str().unwrap();
    let got = match function.split_once('.') {
        Some(("masks", function)) => mask(function, &Params(&case["params"])),
        _ => of_field(vectors, function, case),
    };
    let outputs = case["outputs"].as_object().unwrap();
    if outputs.len() != got.len() {
        return Err(format!("{} outputs, expected {}", got.len(), outputs.len()));
    }
    for (i, got) in got.into_iter().enumerate() {
        let output = &outputs[&i.to_string()];
        let want = numbers(&vectors.expected(output));
        check_numbers(got, want, tolerance(output)).map_err(|what| format!("output {i}: {what}"))?;
    }
    Ok(())
}

/// The outputs of a function of LiberTEM's mask library.
fn mask(function: &str, params: &Params<'_>) -> Vec<Vec<f64>> {
    let (shape, centre) = (params.shape(), params.centre());
    let one = match function {
        "circular" => masks::disk(shape, centre, params.number("radius"), params.edge()),
        "ring" => masks::ring(shape, centre, params.radii(), params.edge()),
        "radial_gradient" => masks::radial_gradient(shape, centre, params.number("radius"), params.edge()),
        "background_subtraction" => masks::disk_minus_ring(shape, centre, params.radii()),
        "radial_gradient_background_subtraction" => gradient_minus_ring(params),
        "balance" => {
            let mut mask = gradient_minus_ring(&Params(&serde_json::json!({"r0": 4, "r_outer": 6, "delta": 1})));
            masks::balance(&mut mask);
            mask
        }
        "bounding_radius" => vec![f64::from(u32::try_from(masks::bounding_radius(shape, centre)).unwrap())],
        "radial_bins" => {
            let n_bins = params.0["n_bins"].as_u64().map(|n_bins| usize::try_from(n_bins).unwrap());
            let normalize = params.0["normalize"] == true;
            masks::radial_bins(shape, centre, RadialBins { radii: params.radii(), n_bins, normalize }).unwrap()
        }
        "rectangular" => {
            let pair = |y, x| [params.number(y), params.number(x)];
            masks::rectangle(shape, pair("Y", "X"), pair("Height", "Width"))
        }
        "polar_map" => {
            let stretch_y = params.0["stretchY"].as_f64().unwrap_or(1.0);
            let angle = params.0["angle"].as_f64().unwrap_or(0.0);
            let polar = masks::polar_map(shape, centre, Ellipse { stretch_y, angle });
            return vec![polar.distances, polar.angles];
        }
        "gradient_x/gradient_y" => return vec![masks::gradient_x(shape), masks::gradient_y(shape)],
        "sparse_template_multi_stack" => {
            let template = masks::disk([5, 5], [2.0, 2.0], 2.0, Edge::Sharp);
            let offset = |name: &str, i: usize| params.0[name][i].as_i64().unwrap();
            let at = (0..).map(|i| [offset("offsetY", i), offset("offsetX", i)]);
            let copies: Vec<_> = params.mask_indices().zip(at).collect();
            masks::template_stack(shape, &template, [5, 5], &copies).unwrap().to_dense().unwrap().to_vec()
        }
        "sparse_circular_multi_stack" => {
            let (y, x) = (params.list("centerY"), params.list("centerX"));
            let disks: Vec<_> = params.mask_indices().zip(y.into_iter().zip(x).map(<[f64; 2]>::from)).collect();
            masks::disk_stack(shape, params.number("radius"), &disks).unwrap().to_dense().unwrap().to_vec()
        }
        other => panic!("`{other}` has no counterpart"),
    };
    vec![one]
}

/// Of frames of 13 x 17 pixels around (6, 8), as both cases that need it have it.
fn gradient_minus_ring(params: &Params<'_>) -> Vec<f64> {
    let distances = masks::polar_map([13, 17], [6.0, 8.0], Ellipse::default()).distances;
    masks::gradient_minus_ring(&distances, params.number("r0"), params.number("r_outer"), params.number("delta"))
}

/// The outputs of a helper of LiberTEM's centre of mass.
fn of_field(vectors: &Vectors, function: &str, case: &Json) -> Vec<Vec<f64>> {
    let (field, nav_shape) = whole_field(vectors);
    let params = Params(&case["params"]);
    match function {
        "com.apply_correction" => {
            let flip_y = params.0["flip_y"] == true;
            let orientation = Orientation { degrees: params.number("scan_rotation"), flip_y };
            let is_forward = params.0["forward"] == true;
            let turn = |&vector| if is_forward { orientation.apply(vector) } else { orientation.undo(vector) };
            let turned: Vec<Vector<f64>> = field.iter().map(turn).collect();
            [0, 1].map(|axis| turned.iter().map(|vector| vector[axis]).collect()).into()
        }
        "com.divergence" => vec![field::divergence(&field, nav_shape)],
        "com.curl_2d" => vec![field::curl(&field, nav_shape)],
        "com.magnitude" => vec![field.iter().map(|&vector| field::magnitude(vector)).collect()],
        "com.coordinate_check" => {
            let curl = field::curl_by_rotation(&field, nav_shape, None);
            vec![curl.straight, curl.flipped]
        }
        "com.guess_corrections" => {
            let (_, made_by) = GUESSES.iter().find(|(name, _)| case["name"] == *name).unwrap();
            let field: Vec<_> = field.into_iter().map(|vector| made_by.undo(vector)).collect();
            let guess = field::guess_orientation(&field, nav_shape, None).unwrap();
            let flip_y = f64::from(u8::from(guess.orientation.flip_y));
            vec![vec![guess.orientation.degrees, flip_y, guess.centre[0], guess.centre[1]]]
        }
        other => panic!("`{other}` has no counterpart"),
    }
}

/// The field of most cases, and the shape of the scan.
fn whole_field(vectors: &Vectors) -> (Vec<Vector<f64>>, [usize; 2]) {
    let cases = vectors.index["functions"].as_array().unwrap();
    let case = cases.iter().find(|case| case["name"] == "apply_correction_0_0").unwrap();
    let component = |key: &str| vectors.expected(&case["outputs"][key]);
    let (y, x) = (component("0"), component("1"));
    let extent = |axis: usize| usize::try_from(y.shape.axes()[axis]).unwrap();
    let field = numbers(&y).into_iter().zip(numbers(&x)).map(<[f64; 2]>::from).collect();
    (field, [extent(0), extent(1)])
}

/// The parameters of a case, by LiberTEM's names.
struct Params<'a>(&'a Json);

impl Params<'_> {
    fn number(&self, name: &str) -> f64 {
        let value = &self.0[name];
        if value == "inf" { f64::INFINITY } else { value.as_f64().unwrap_or(0.0) }
    }

    fn list(&self, name: &str) -> Vec<f64> {
        self.0[name].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    }

    fn mask_indices(&self) -> impl Iterator<Item = usize> {
        self.0["mask_index"].as_array().unwrap().iter().map(|idx| usize::try_from(idx.as_u64().unwrap()).unwrap())
    }

    fn shape(&self) -> [usize; 2] {
        ["imageSizeY", "imageSizeX"].map(|name| usize::try_from(self.0[name].as_u64().unwrap_or(0)).unwrap())
    }

    fn centre(&self) -> [f64; 2] {
        ["centerY", "centerX"].map(|name| self.number(name))
    }

    fn radii(&self) -> [f64; 2] {
        ["radius_inner", "radius"].map(|name| self.number(name))
    }

    fn edge(&self) -> Edge {
        if self.0["antialiased"] == true { Edge::Smooth } else { Edge::Sharp }
    }
}
