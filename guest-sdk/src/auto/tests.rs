//! Functions as UDFs, over small scans.

use crate::{
    Array, Auto, Complex, Dtype, Element, Error, Float, Frame, Real, Result, Udf as _, export_map, kernels,
    manifest::ParameterType, testing::Scan,
};

export_map!(row_sums, "Sum over the last signal axis");

fn row_sums(frame: Frame<'_, f32>) -> Vec<f32> {
    frame.rows().map(|row| row.iter().sum()).collect()
}

export_map!(total<T: Float>, "Sum of each frame");

fn total<T: Float>(frame: Frame<'_, T>) -> T {
    T::narrow(kernels::sum(frame.pixels()))
}

export_map!(largest<T: Real>, "Largest pixel of each frame");

fn largest<T: Real>(frame: Frame<'_, T>) -> Result<T> {
    kernels::largest(frame.pixels()).ok_or_else(|| Error::new("a frame without pixels"))
}

export_map!(raw<T: Element>, "The data as they are");

fn raw<T: Element>(frame: Frame<'_, T>) -> Result<Array> {
    Array::new(frame.sig_shape(), frame.pixels())
}

export_map!(
    pixel(
        frame,
        /// index,
        /// `(y, x)`
        y: usize,
        x: usize = 0,
        scale: Option<f64>,
        table: Option<&Array>,
        name: &str = "plain"
    ),
    "One pixel of each frame"
);

fn pixel(frame: Frame<'_, f64>, y: usize, x: usize, scale: Option<f64>, table: Option<&Array>, name: &str) -> [f64; 2] {
    let factor = table.map_or(1.0, |table| table.to_vec::<f64>()[frame.frame_idx()]) * scale.unwrap_or(1.0);
    let factor = if name == "plain" { factor } else { -factor };
    [frame[[y, x]] * factor, factor]
}

export_map!(place, "Where each frame is");

fn place(frame: Frame<'_, u8>) -> Vec<usize> {
    frame.at()
}

export_map!(until_zero, "Pixels before the first zero");

fn until_zero(frame: Frame<'_, u16>) -> Vec<u16> {
    frame.pixels().iter().copied().take_while(|&pixel| pixel != 0).collect()
}

export_map!(no_two, "An error for pixels of 2");

fn no_two(frame: Frame<'_, u16>) -> Result<bool> {
    if frame.pixels().contains(&2) { Err(Error::new("there is a 2")) } else { Ok(true) }
}

export_map!(no_one, "An error for pixels of 1");

fn no_one(frame: Frame<'_, u16>) -> Result<bool> {
    if frame.pixels().contains(&1) { Err(Error::new("there is a 1")) } else { Ok(true) }
}

/// Six frames of (2, 3) pixels: 0, 1, 2, ...
fn scan<T: Element>() -> Scan {
    let pixels: Vec<T> = (0..36).map(|pixel| T::from_f64(f64::from(pixel))).collect();
    Scan::new(&[2, 3], &[2, 3], &pixels)
}

#[test]
fn shape_and_dtype_are_those_of_the_result() {
    for (n_partitions, depth) in [(1, 6), (1, 4), (4, 1)] {
        let scan = scan::<u16>().partitions(n_partitions).tiles(depth, 2);
        let results = scan.run::<Auto<row_sums>>().unwrap();
        assert_eq!(results.shape("result"), [6, 2]);
        assert_eq!(results.get::<f32>("result")[..4], [3.0, 12.0, 21.0, 30.0]);
    }
}

#[test]
fn a_generic_function_gets_what_the_data_promote_to() {
    fn dtype<T: Element>() -> Result<Dtype> {
        Ok(scan::<T>().run::<Auto<total>>()?.dtype("result"))
    }
    assert_eq!(dtype::<u16>(), Ok(Dtype::F32));
    assert_eq!(dtype::<u32>(), Ok(Dtype::F64));
    assert_eq!(dtype::<Complex<f32>>(), Ok(Dtype::C64));
    assert_eq!(dtype::<Complex<f64>>(), Ok(Dtype::C128));
    assert_eq!(scan::<i8>().run::<Auto<total>>().unwrap().get::<f32>("result")[..2], [15.0, 51.0]);
}

#[test]
fn real_and_raw_numbers_come_as_they_are_stored() {
    assert_eq!(scan::<i16>().run::<Auto<largest>>().unwrap().get::<i16>("result"), [5, 11, 17, 23, 29, 35]);
    let results = scan::<Complex<f32>>().run::<Auto<raw>>().unwrap();
    assert_eq!((results.shape("result"), results.dtype("result")), ([6, 2, 3].as_slice(), Dtype::C64));
    assert_eq!(results.to_vec::<u8>("result"), (0..36).collect::<Vec<_>>());
    let error = scan::<Complex<f32>>().run::<Auto<largest>>().unwrap_err();
    assert_eq!(error.causes(), ["expected real numbers, given complex64"]);
}

#[test]
fn arguments_are_parameters() {
    let declared = Auto::<pixel>::manifest().parameters;
    let names: Vec<_> = declared.iter().map(|parameter| (parameter.name.as_str(), parameter.required)).collect();
    let expected = [("y", true), ("x", false), ("scale", false), ("table", false), ("name", false), ("monitor", false)];
    assert_eq!(names, expected);
    assert_eq!(declared[0].doc, "index, `(y, x)`");
    assert_eq!(declared[2].types, [ParameterType::Number]);

    let run = |scan: Scan| scan.run::<Auto<pixel>>().map(|results| results.get::<f64>("result")[2..4].to_vec());
    assert_eq!(run(scan::<u8>().param("y", 1_i64)), Ok(vec![9.0, 1.0]));
    let table = Array::new(&[6], &[0_u8, 10, 20, 30, 40, 50]).unwrap();
    let full = scan::<u8>().param("y", 1_i64).param("x", 2_i64).param("table", table).param("name", "negative");
    assert_eq!(run(full), Ok(vec![-110.0, -10.0]));
    assert_eq!(run(scan::<u8>()).unwrap_err().message(), "parameter `y` is missing");
}

#[test]
fn a_frame_knows_where_it_is() {
    let roi = [false, true, false, true, true, false];
    let results = scan::<u8>().roi(&roi).partitions(2).run::<Auto<place>>().unwrap();
    assert_eq!(results.get::<i64>("result"), [0, 1, 1, 0, 1, 1]);
}

#[test]
fn the_monitor_has_the_last_frame_that_is_there() {
    for n_partitions in 1..7 {
        let scan = scan::<u8>().param("monitor", true).partitions(n_partitions).tiles(2, 6);
        let last = |scan: Scan| scan.run::<Auto<row_sums>>().unwrap().get::<f32>("monitor").to_vec();
        assert_eq!(last(scan.clone()), [93.0, 102.0]);
        assert_eq!(last(scan.clone().missing(&[4, 5])), [57.0, 66.0]);
        assert_eq!(last(scan.clone().roi(&[true, true, false, false, false, false])), [21.0, 30.0]);
        assert!(last(scan.missing(&[0, 1, 2, 3, 4, 5])).iter().all(|number| number.is_nan()));
    }
}

#[test]
fn another_shape_than_for_ones_is_an_error_that_names_the_frame() {
    let scan = Scan::new(&[2, 2], &[3], &[1_u16, 2, 3, 4, 5, 6, 7, 0, 8, 9, 9, 9]);
    assert_eq!(
        scan.run::<Auto<until_zero>>().unwrap_err().message(),
        "the result for frame 2 at [1, 0] has shape [1] and dtype uint16, expected [3] and uint16 as for a frame of \
         ones: all results must have the same"
    );
}

#[test]
fn an_error_ends_the_run_with_its_message() {
    let scan = Scan::new(&[2], &[2], &[5_u16, 6, 1, 2]);
    assert_eq!(scan.run::<Auto<no_two>>().unwrap_err().message(), "there is a 2");
    let error = scan.run::<Auto<no_one>>().unwrap_err();
    assert_eq!((error.message().contains("a frame of ones"), error.causes()), (true, &["there is a 1".to_owned()][..]));
}
