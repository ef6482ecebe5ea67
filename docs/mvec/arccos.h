void arccos_loop(double *restrict y, const double *restrict x, long n);
