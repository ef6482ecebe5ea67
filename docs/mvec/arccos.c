// The seed's kernel as a C programmer writes it: the compiler vectorises the loop
// and calls the arccos of glibc's vector mathematics library.

#include "arccos.h"

#include <math.h>

__attribute__((target("prefer-vector-width=512")))
void arccos_loop(double *restrict y, const double *restrict x, long n)
{
	for (long i = 0; i < n; i++) {
		double v = x[i] < 1.0001 ? 1.0001 : x[i];
		y[i] = acos(1.0 / v) * 15.0;
	}
}
