# SPDX-License-Identifier: MIT
#
# Read a report of abidiff --leaf-changes-only, and print what of it is more than an addition: a
# struct may have new members behind those that it had, and nothing else may have changed.

/^(Leaf changes summary|Changed leaf types summary|Removed\/Changed\/Added)/ || /^[[:blank:]]*$/ { next }

# 'struct s' changed:
/^'struct [^']*' changed:$/ { heading = $0; next }

# type size changed from 128 to 192 (in bits): what is inserted lies behind the 128
heading && /^  type size changed from [0-9]+ to [0-9]+ \(in bits\)$/ && $7 > $5 { old = $5; next }
heading && /^  [0-9]+ data member insertions?:$/ { next }
heading && /^    '.*', at offset [0-9]+ \(in bits\)/ {
	match($0, /at offset [0-9]+/)
	if (substr($0, RSTART + 10, RLENGTH - 10) + 0 >= old)
		next
}

{
	if (heading != told)
		print heading
	told = heading
	print
}
