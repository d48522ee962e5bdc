/* Undefine the macros that lane_kernels.h sets for one instruction set. */
#undef KERNEL_TARGET
#undef N_LANES
#undef KERNEL_NAME
#undef FLOAT_VECTOR
#undef INT_VECTOR
#undef UINT16_VECTOR
#undef INT8_VECTOR
#undef WIDTH
#undef UNROLL
#undef BIT_OF_LANE
#undef MASK_TO_BITS
