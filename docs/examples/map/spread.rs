/// Standard deviation of the pixels of each frame
fn spread(frame: Frame<f32>) -> f64 {
    let n = frame.pixels().len() as f64;
    let mean = frame.pixels().iter().map(|&pixel| f64::from(pixel)).sum::<f64>() / n;
    let squares: f64 = frame.pixels().iter().map(|&pixel| (f64::from(pixel) - mean).powi(2)).sum();
    (squares / n).sqrt()
}
