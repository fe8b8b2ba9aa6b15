/** The types of fields of ActiveCampaign, as people know them. */
import { maybe } from ".";

/** The name of a type; one that is not known here stays as it is. */
export function fieldType(type: string): string {
  return maybe(`type.${type}`) ?? type;
}
