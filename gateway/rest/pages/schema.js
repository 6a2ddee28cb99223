// Reads the JSON schemas of an OpenAPI document: what fields there are, how they are described, and examples of them.

/** Follows references and passes over "or null", so that what is left says what a value is. */
export function resolve(document, schema) {
  if (schema.$ref) return resolve(document, document.components.schemas[schema.$ref.split("/").pop()]);
  const options = schema.anyOf?.filter((option) => option.type !== "null");
  return options?.length === 1 ? { ...resolve(document, options[0]), ...described(schema) } : schema;
}

const described = ({ description, default: value }) => ({
  ...(description && { description }),
  ...(value !== undefined && value !== null && { default: value }),
});

/** The fields of an object: name, schema, and whether it must be there. */
export function fieldsOf(document, schema) {
  const { properties = {}, required = [] } = resolve(document, schema);
  return Object.entries(properties).map(([name, property]) => ({
    name,
    schema: resolve(document, property),
    required: required.includes(name),
  }));
}

/** A few words on a value, such as "whole number, 1 to 200". */
export function typeText(document, schema) {
  const known = resolve(document, schema);
  if (known.enum) return known.enum.join(" | ");
  if (known.type === "array") return `list of ${typeText(document, known.items)}`;
  const names = { string: "text", integer: "whole number", boolean: "true | false", object: known.title ?? "object" };
  return [known.format ?? names[known.type] ?? "", rangeText(known)].filter(Boolean).join(", ");
}

function rangeText({ minimum, maximum, minLength, maxLength }) {
  if (maximum === Number.MAX_SAFE_INTEGER) return `${minimum} or more`;
  if (maximum !== undefined) return `${minimum} to ${maximum}`;
  if (maxLength !== undefined) return `${minLength ?? 0} to ${maxLength} characters`;
  return "";
}

/** An example of an object with the fields that must be there. */
export function sample(document, schema) {
  const required = fieldsOf(document, schema).filter((field) => field.required);
  return Object.fromEntries(required.map(({ name, schema: inner }) => [name, sampleOf(document, inner)]));
}

function sampleOf(document, schema) {
  if (schema.enum) return schema.enum[0];
  if (schema.type === "integer") return schema.minimum ?? 0;
  if (schema.type === "boolean") return false;
  if (schema.type === "array") return [];
  return schema.type === "object" ? sample(document, schema) : "";
}
