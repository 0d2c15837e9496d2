// Standard deviation of the pixels of each frame
double spread(const float *frame, size_t n_rows, size_t n_columns) {
    size_t n = n_rows * n_columns;
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        mean += frame[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (frame[i] - mean) * (frame[i] - mean);
    return sqrt(squares / n);
}
